import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parseDeploymentConfig } from "../../../infra/config.ts";

const root = resolve(import.meta.dirname, "../../..");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

function read(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

/** Anchors as GitHub makes them of headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) => text);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .trim()
        .replaceAll(" ", "-"),
    ),
  );
}

describe("links of the documentation", () => {
  it.each(pages)("%s leads to files and headings that are there", (page) => {
    const dead = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        const target = path === "" ? page : join(dirname(page), path);
        if (!existsSync(join(root, target))) return true;
        return anchor !== undefined && !anchorsOf(target).has(anchor);
      });
    expect(dead).toEqual([]);
  });
});

describe("the runbook", () => {
  it.each([
    "leaked-instances",
    "refused-auth",
    "egress-denials",
    "sweeper-failures",
    "pool-exhausted",
    "key-age",
    "api-errors",
    "api-latency",
    "dead-letters",
    "gateway-unhealthy",
    "proxy-unhealthy",
    "launch-failures",
    "capacity",
    "quotas-to-raise",
  ])("has a section for the alarm %s", (alarm) => {
    expect(anchorsOf("docs/aws-operations.md")).toContain(alarm);
  });
});

it("docs/deploy.md has every setting of a deployment", () => {
  const page = read("docs/deploy.md");
  const optional = ["account", "region", "domain", "hostedZoneId", "certificateArn", "alarmEmail", "edgeImage"];
  const missing = [...Object.keys(parseDeploymentConfig({})), ...optional].filter(
    (name) => !page.includes(`\`${name}\``),
  );
  expect(missing).toEqual([]);
});
