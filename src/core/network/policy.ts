import type { NetworkMode, NetworkPolicyBody, NetworkRuleBody, networkSources } from "#contracts/control/network.ts";

/** One rule as stored: `host` or `cidr`, the others absent where they do not limit. Names are lower-case. */
export type NetworkRule = NetworkRuleBody;

/** A sandbox's network policy, as stored and as the proxy decides by it. */
export interface NetworkPolicy {
  readonly version: number;
  readonly source: (typeof networkSources)[number];
  readonly updatedAt: number;
  readonly mode: NetworkMode;
  readonly rules: readonly NetworkRule[];
  readonly envSecrets: boolean;
  readonly aws: NetworkPolicyBody["aws"];
}

/** What callers, templates and deployments write down. */
export type AskedPolicy = Pick<NetworkPolicy, "mode" | "rules" | "envSecrets" | "aws">;

/** Every public address. What the deployment starts from unless it says otherwise. */
export const openPolicy: AskedPolicy = { mode: "allow-all-but", rules: [], envSecrets: true, aws: [] };
export const closedPolicy: AskedPolicy = { ...openPolicy, mode: "deny-all" };

export function askedPolicy(body: NetworkPolicyBody): AskedPolicy {
  return { mode: body.mode, rules: body.rules, envSecrets: body.env_secrets, aws: body.aws };
}

export function letsOut(policy: Pick<NetworkPolicy, "mode">): boolean {
  return policy.mode !== "deny-all";
}
