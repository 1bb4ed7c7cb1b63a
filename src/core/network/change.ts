import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "../deps.ts";
import { findLiveSandbox } from "../find.ts";
import type { Principal, SandboxRecord } from "../model.ts";
import { checkPolicy } from "./check.ts";
import { type AskedPolicy, letsOut } from "./policy.ts";

/**
 * Replaces a sandbox's policy, in any state of its life.
 * @param expected the version to replace; null: whatever is there
 * @throws BulkheadError SANDBOX_NOT_FOUND | SANDBOX_EXPIRED, CONFLICT when another version is there
 */
export async function replaceNetwork(
  { ports }: Pick<CoreDeps, "ports">,
  principal: Principal,
  id: string,
  asked: AskedPolicy,
  expected: number | null,
): Promise<SandboxRecord> {
  checkPolicy(asked);
  for (;;) {
    const record = await findLiveSandbox(ports.sandboxes, { principal, permission: "network:write", id });
    const { version } = record.network;
    if (expected !== null && expected !== version) {
      throw new BulkheadError(
        "CONFLICT",
        `The network policy is at version ${version}, not ${expected}. Read it again.`,
        {
          details: { version },
        },
      );
    }
    const changed: SandboxRecord = {
      ...record,
      internetAccess: letsOut(asked),
      network: { ...asked, version: version + 1, source: "replaced", updatedAt: ports.clock.now() },
      version: record.version + 1,
    };
    if ((await ports.sandboxes.replace(changed)) === "lost") continue;
    ports.events.publish({ type: "sandbox.network", record: changed });
    return changed;
  }
}
