import { controlPrefix } from "#contracts/agent-control.ts";
import { BulkheadError } from "#contracts/errors.ts";

/** How a request names its sandbox. `path` is what the agent, or the user's server behind it, gets to see. */
export type Route =
  /** No sandbox named: the token decides. */
  | { readonly kind: "root"; readonly path: string }
  | { readonly kind: "agent"; readonly sandboxId: string; readonly path: string }
  | {
      readonly kind: "preview";
      readonly sandboxId: string;
      readonly port: number;
      readonly path: string;
      /** What was taken off the path, without a trailing slash; empty when the host named the port. */
      readonly prefix: string;
    };

/** Port by which hosts and preview paths name the agent itself. */
const agentPort = 7777;
const idPattern = "\\d{10}[a-z][a-z0-9]{9}";
const agentPath = new RegExp(`^/s/(${idPattern})(?=[/?]|$)`);
const previewPath = new RegExp(`^/p/(${idPattern})/(\\d{1,5})(?=[/?]|$)`);
const sandboxHost = new RegExp(`^(\\d{1,5})-(${idPattern})\\.(.+?)(?::\\d+)?$`);
/** Path that published clients add so that preview addresses can be derived from the agent's (contract §1.4). */
const clientSuffix = /^\/p\.vms\.hopx\.dev(?=[/?]|$)/;

/** @throws BulkheadError INVALID_REQUEST | FORBIDDEN */
export function parseRoute(host: string | undefined, url: string, domain: string | undefined): Route {
  if (!url.startsWith("/")) {
    throw new BulkheadError("INVALID_REQUEST", "The request target must be a path that begins with a slash.");
  }
  const route = routeByHost(host, url, domain) ?? routeByPath(url);
  if (isControlPath(route.path) || isControlPath(url)) {
    throw new BulkheadError("FORBIDDEN", "This path belongs to the platform and cannot be reached from outside.");
  }
  return route;
}

function routeByHost(host: string | undefined, url: string, domain: string | undefined): Route | undefined {
  if (domain === undefined || host === undefined) return undefined;
  const match = sandboxHost.exec(host.toLowerCase());
  if (match === null || match[3] !== domain) return undefined;
  return named(match[2] ?? "", Number(match[1]), withoutClientSuffix(url), "");
}

function routeByPath(url: string): Route {
  const agent = agentPath.exec(url);
  if (agent !== null) {
    const path = withoutClientSuffix(rest(url, agent[0]));
    return { kind: "agent", sandboxId: agent[1] ?? "", path };
  }
  const preview = previewPath.exec(url);
  if (preview !== null) return named(preview[1] ?? "", Number(preview[2]), rest(url, preview[0]), preview[0]);
  return { kind: "root", path: url };
}

function named(sandboxId: string, port: number, path: string, prefix: string): Route {
  if (port < 1 || port > 65_535) throw new BulkheadError("INVALID_REQUEST", "The port must be between 1 and 65535.");
  if (port === agentPort) return { kind: "agent", sandboxId, path };
  return { kind: "preview", sandboxId, port, path, prefix };
}

function withoutClientSuffix(url: string): string {
  const match = clientSuffix.exec(url);
  return match === null ? url : rest(url, match[0]);
}

function rest(url: string, prefix: string): string {
  const path = url.slice(prefix.length);
  return path.startsWith("/") ? path : `/${path}`;
}

/**
 * Whether any reader could take the path for one of the control plane's own: encoded (also twice), with dot segments,
 * doubled or backward slashes, other case, or ignored control characters. Rather one path too many.
 */
export function isControlPath(url: string): boolean {
  let text = url;
  for (let round = 0; round < 4; round += 1) {
    if (leadsToControl(text)) return true;
    const decoded = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (decoded === text) return false;
    text = decoded;
  }
  return true;
}

const controlName = controlPrefix.slice(1, -1);

/** Readers differ in what `..` takes away next to a doubled slash, so with one in the path the name may stand nowhere in it. */
function leadsToControl(url: string): boolean {
  const segments = url
    .replace(/[?#].*$/s, "")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: URL parsers drop these, so the check must too
    .replaceAll(/[\u0000-\u0020]/g, "")
    .toLowerCase()
    .split(/[/\\]/)
    .map((segment) => segment.replace(/;.*$/, ""))
    .filter((segment) => segment !== "" && segment !== ".");
  const candidates = segments.includes("..") ? segments : segments.slice(0, 1);
  return candidates.some((segment) => segment.startsWith(controlName));
}
