import type { NetworkRule } from "./policy.ts";

/** Whether a name is the pattern, or below it where the pattern is `*.name`. Both lower-case. */
export function hostMatches(pattern: string, host: string): boolean {
  return pattern.startsWith("*.")
    ? host.length > pattern.length - 1 && host.endsWith(pattern.slice(1))
    : host === pattern;
}

const usualPorts: readonly (number | string)[] = [80, 443];

/** Without ports a rule that allows means the web, a rule that refuses means every port. */
export function portMatches(rule: NetworkRule, port: number, verb: "allow" | "deny"): boolean {
  const ports = rule.ports ?? (verb === "allow" ? usualPorts : undefined);
  return ports === undefined || ports.some((one) => within(one, port));
}

function within(one: number | string, port: number): boolean {
  if (typeof one === "number") return one === port;
  const [from = 0, to = 0] = one.split("-").map(Number);
  return from <= port && port <= to;
}

/** @param path without query, dot segments resolved */
export function requestMatches(rule: NetworkRule, method: string, path: string): boolean {
  if (rule.methods !== undefined && !rule.methods.includes(method)) return false;
  return rule.paths === undefined || rule.paths.some((prefix) => pathBelow(prefix, path));
}

function pathBelow(prefix: string, path: string): boolean {
  return path === prefix || path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}

/** A rule as callers read it in the record: `*.example.com:443 GET,HEAD /v1`. */
export function ruleText(rule: NetworkRule): string {
  const target = rule.host ?? rule.cidr ?? "";
  const address = rule.cidr?.includes(":") ? `[${target}]` : target;
  const ports = rule.ports === undefined ? "" : `:${rule.ports.join(",")}`;
  return [address + ports, rule.methods?.join(","), rule.paths?.join(",")]
    .filter((part) => part !== undefined)
    .join(" ");
}
