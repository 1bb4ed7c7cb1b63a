import { isIP } from "node:net";
import { groupBy, type Use, union } from "./uses.ts";

const siblings = 3;

/** Below these anybody can have a name. */
const shared = new Set([
  "amazonaws.com",
  "appspot.com",
  "azurewebsites.net",
  "blob.core.windows.net",
  "cloudfront.net",
  "fly.dev",
  "github.io",
  "gitlab.io",
  "herokuapp.com",
  "netlify.app",
  "ngrok.io",
  "pages.dev",
  "s3.amazonaws.com",
  "vercel.app",
  "web.app",
  "workers.dev",
]);

/** One `*.parent` in the place of three and more names of one parent. */
export function mergeSiblings(uses: readonly Use[]): {
  readonly uses: readonly Use[];
  readonly notes: readonly string[];
} {
  const notes: string[] = [];
  const families = groupBy(uses, ({ host }) => (isIP(host) === 0 ? host.slice(host.indexOf(".") + 1) : ""));
  const merged = [...families].flatMap(([parent, family]) => {
    const names = [...new Set(family.map(({ host }) => host))].sort();
    if (names.length < siblings || !parent.includes(".")) return family;
    if (isShared(parent)) {
      notes.push(`names below ${parent} are not merged: anybody can have one`);
      return family;
    }
    notes.push(
      `*.${parent} stands for ${names.length} names, and allows every other one below ${parent}: ${names.join(", ")}`,
    );
    return onePerPort(`*.${parent}`, family);
  });
  return { uses: merged, notes };
}

/** Known ones, regional S3, and what looks like a registry's: `co.uk`, `com.au`. */
function isShared(parent: string): boolean {
  return shared.has(parent) || /\.amazonaws\.com(\.cn)?$/.test(parent) || /^[a-z]{2,3}\.[a-z]{2}$/.test(parent);
}

function onePerPort(host: string, family: readonly Use[]): Use[] {
  return [...groupBy(family, ({ port }) => String(port))].map(([port, group]) => ({
    host,
    port: Number(port),
    methods: group.map(({ methods }) => methods).reduce(union),
    inspected: group.some(({ inspected }) => inspected),
  }));
}
