import { createHash, randomBytes } from "node:crypto";

/**
 * What this instance shows the egress proxy where its address alone must not do: made at start, known to this process only, so that
 * user code that connects to the proxy by itself has nothing to show. The control plane learns its hash when it first meets the agent.
 */
export interface EgressCredential {
  readonly text: string;
  /** SHA-256, base64url. */
  readonly hash: string;
}

export function makeEgressCredential(): EgressCredential {
  const text = randomBytes(32).toString("base64url");
  return { text, hash: createHash("sha256").update(text).digest("base64url") };
}
