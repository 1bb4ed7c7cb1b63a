import { expiresAt } from "#core/deadlines.ts";
import { isOver } from "#core/lifecycle.ts";
import type { Endpoint, InstanceRecord } from "#core/model.ts";
import type { InstanceStore, SandboxStore } from "#core/ports.ts";
import type { Directory } from "#gateway/ports.ts";

/** Sandboxes as the table has them. The gateway remembers an answer for a second. */
export function makeTableDirectory(
  sandboxes: Pick<SandboxStore, "get">,
  instances: Pick<InstanceStore, "get">,
): Directory {
  return {
    async resolve(sandboxId) {
      const record = await sandboxes.get(sandboxId);
      if (record === undefined) return undefined;
      const { instanceId, status } = record;
      const instance = instanceId === null || isOver(status) ? undefined : await instances.get(instanceId);
      return {
        sandboxId,
        projectId: record.projectId,
        status,
        generation: record.tokenGeneration,
        endpoint: instance === undefined ? null : wayIn(instance, sandboxId),
        createdAt: record.createdAt,
        expiresAt: record.endedAt ?? expiresAt(record.deadlines),
        endReason: record.endReason,
        environment: record.environment,
        ports: record.ports,
        quarantine: record.quarantine,
      };
    },
  };
}

/** None to an instance that serves somebody else by now, nor to an agent whose certificate the bridge has not seen. */
function wayIn({ sandboxId: served, endpoint }: InstanceRecord, sandboxId: string): Endpoint | null {
  if (served !== sandboxId) return null;
  return endpoint?.kind === "tcp" && endpoint.fingerprint !== undefined ? endpoint : null;
}
