import { BlockList, isIP } from "node:net";
import { hostMatches, portMatches, requestMatches, ruleText } from "./match.ts";
import type { NetworkPolicy, NetworkRule } from "./policy.ts";

/** Where a connection goes. */
export interface NetworkTarget {
  /** Lower-case name without a trailing dot, or a literal address. */
  readonly host: string;
  readonly port: number;
  /** What the name resolved to, or the literal itself. */
  readonly addresses: readonly string[];
}

/**
 * How much of it is known. `connection`: its target only, what it will carry is still to be seen. `opaque`: nothing more will ever be
 * seen. Else one request.
 */
export type Seen = "connection" | "opaque" | { readonly method: string; readonly path: string };

export interface NetworkDecision {
  readonly allow: boolean;
  /** As text, of the rule that decided; null where none did. */
  readonly rule: string | null;
  /** One short phrase for the sandbox's code and the record. */
  readonly reason: string;
}

/** What the policy says; whether an address is public at all is not its matter. Pure. */
export function decide(
  policy: Pick<NetworkPolicy, "mode" | "rules">,
  target: NetworkTarget,
  seen: Seen,
): NetworkDecision {
  switch (policy.mode) {
    case "deny-all":
      return { allow: false, rule: null, reason: "the sandbox's network policy is deny-all" };
    case "observe":
      return { allow: true, rule: null, reason: "observed" };
    case "allow-list":
      return allowListed(policy.rules, target, seen);
    case "allow-all-but":
      return allowedBut(policy.rules, target, seen);
  }
}

function allowListed(rules: readonly NetworkRule[], target: NetworkTarget, seen: Seen): NetworkDecision {
  const reaching = rules.filter((rule) => reaches(rule, target, "allow"));
  const rule = reaching.find((one) => permits(one, seen));
  if (rule !== undefined) return { allow: true, rule: ruleText(rule), reason: "on the allow-list" };
  const [closest] = reaching;
  if (closest === undefined) return { allow: false, rule: null, reason: "not on the sandbox's allow-list" };
  if (seen === "opaque")
    return {
      allow: false,
      rule: ruleText(closest),
      reason:
        "the rule limits methods or paths, which cannot be seen in this connection; give the rule inspect: true for TLS",
    };
  return { allow: false, rule: ruleText(closest), reason: "method or path is not on the sandbox's allow-list" };
}

/** What can be seen of a connection is enough, as far as the rule limits it. */
function permits(rule: NetworkRule, seen: Seen): boolean {
  if (seen === "connection") return true;
  if (seen === "opaque") return !limitsRequests(rule);
  return requestMatches(rule, seen.method, seen.path);
}

function allowedBut(rules: readonly NetworkRule[], target: NetworkTarget, seen: Seen): NetworkDecision {
  const rule = rules.find((one) => reaches(one, target, "deny") && forbids(one, seen));
  if (rule === undefined) return { allow: true, rule: null, reason: "not refused by a rule" };
  return { allow: false, rule: ruleText(rule), reason: "refused by the sandbox's network policy" };
}

/** What cannot be seen is refused as if it were the worst. */
function forbids(rule: NetworkRule, seen: Seen): boolean {
  if (seen === "connection") return !limitsRequests(rule);
  return seen === "opaque" || requestMatches(rule, seen.method, seen.path);
}

export function limitsRequests(rule: NetworkRule): boolean {
  return rule.methods !== undefined || rule.paths !== undefined;
}

/** Whether a rule asks for the TLS of this host to be ended at the proxy. */
export function wantsInspection(
  rules: readonly NetworkRule[],
  host: string,
  port: number,
  verb: "allow" | "deny",
): boolean {
  return rules.some(
    (rule) =>
      rule.inspect === true && rule.host !== undefined && hostMatches(rule.host, host) && portMatches(rule, port, verb),
  );
}

function reaches(rule: NetworkRule, target: NetworkTarget, verb: "allow" | "deny"): boolean {
  if (!portMatches(rule, target.port, verb)) return false;
  if (rule.host !== undefined) return hostMatches(rule.host, target.host);
  const inside = (address: string) => inRange(rule.cidr ?? "", address);
  // All must be allowed, one refused is enough: which one a connection would take is chance.
  return verb === "allow"
    ? target.addresses.length > 0 && target.addresses.every(inside)
    : target.addresses.some(inside);
}

const known = new Map<string, BlockList>();
const mostKnown = 1_000;

function inRange(cidr: string, address: string): boolean {
  const family = isIP(address) === 4 ? "ipv4" : "ipv6";
  return rangeOf(cidr).check(address, family);
}

function rangeOf(cidr: string): BlockList {
  const found = known.get(cidr);
  if (found !== undefined) return found;
  if (known.size >= mostKnown) known.clear();
  const list = new BlockList();
  const [address = "", bits] = cidr.split("/");
  const family = isIP(address) === 4 ? "ipv4" : "ipv6";
  list.addSubnet(address, bits === undefined ? (family === "ipv4" ? 32 : 128) : Number(bits), family);
  known.set(cidr, list);
  return list;
}
