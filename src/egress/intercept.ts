import { decide, type NetworkDecision, type NetworkTarget, type Seen, wantsInspection } from "#core/network/decide.ts";
import { boundTo } from "./broker/binding.ts";
import type { EgressDeps, EgressIdentity } from "./ports.ts";

/** Whether TLS to this host is ended here: for hosts that a secret is bound to, that AWS requests are signed for, or whose rule says so. */
export function endsTls(deps: EgressDeps, { network, brokered }: EgressIdentity, target: NetworkTarget): boolean {
  const { host, port } = target;
  if (boundTo(brokered, host, port).length > 0) return true;
  if (signs(deps, network.aws, host)) return true;
  return wantsInspection(network.rules, host, port, network.mode === "allow-list" ? "allow" : "deny");
}

/** What the policy says. A host that a grant of AWS actions concerns needs no rule besides. */
export function judge(
  deps: EgressDeps,
  network: EgressIdentity["network"],
  target: NetworkTarget,
  seen: Seen,
): NetworkDecision {
  if (network.mode === "allow-list" && target.port === 443 && signs(deps, network.aws, target.host)) {
    return { allow: true, rule: "aws", reason: "granted" };
  }
  return decide(network, target, seen);
}

/** Whether requests to this host are signed for AWS. */
export function signs(deps: EgressDeps, grants: EgressIdentity["network"]["aws"], host: string): boolean {
  return grants.length > 0 && (deps.signer?.covers(grants, host) ?? false);
}
