import type { NetworkAnswer } from "#contracts/control/network.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { SandboxRecord } from "#core/model.ts";

export function networkView({ id, network }: SandboxRecord, requestId: string): NetworkAnswer {
  return {
    object: "network_policy",
    sandbox_id: id,
    version: network.version,
    source: network.source,
    updated_at: toRfc3339(network.updatedAt),
    mode: network.mode,
    rules: [...network.rules],
    env_secrets: network.envSecrets,
    aws: network.aws,
    request_id: requestId,
  };
}
