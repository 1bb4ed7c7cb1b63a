import type { AuditEvent } from "#core/model.ts";
import { sortKeyOf } from "./cursor.ts";
import { schemaVersion } from "./schemas.ts";
import type { Key } from "./table.ts";

export const monthOf = (at: number) => new Date(at).toISOString().slice(0, 7);
export const partitionOf = (projectId: string, month: string) => `AUDIT#${projectId}#${month}`;

export function auditKey(event: Pick<AuditEvent, "projectId" | "at" | "id">): Key {
  return { pk: partitionOf(event.projectId, monthOf(event.at)), sk: sortKeyOf(event.at, event.id) };
}

/** An audit event as it is stored: a project's events of one month in one partition, in order of time. */
export function auditItem(event: AuditEvent): Record<string, unknown> {
  return {
    ...event,
    ...auditKey(event),
    schemaVersion,
  };
}
