import { isEnded } from "#core/lifecycle.ts";
import type { SandboxRecord } from "#core/model.ts";
import type { AuditLog, Clock, IdempotencyClaim, SandboxQuery, SandboxStore, Written } from "#core/ports.ts";
import { cursorOf, makeMemoryTable, orderOf, positionIn } from "./memory-table.ts";

export function makeMemorySandboxStore(clock: Clock, audit: Pick<AuditLog, "append">): SandboxStore {
  const records = makeMemoryTable<SandboxRecord>(clock);
  const claims = makeMemoryTable<IdempotencyClaim>(clock);
  const quota = new Map<string, number>();
  const inUse = (projectId: string) => quota.get(projectId) ?? 0;

  function setQuota(projectId: string, value: number, allowed: boolean): Written {
    if (!allowed) return "lost";
    quota.set(projectId, value);
    return "written";
  }

  return {
    async insert(record, event) {
      const written = records.insert(record.id, record);
      if (written === "written" && event !== undefined) await audit.append(event);
      return written;
    },
    replace: async (record) => records.replace(record.id, record),
    get: async (id) => records.get(id),
    async list(projectId, query) {
      const after = query.cursor === null ? null : positionIn(query.cursor);
      const matching = records
        .all()
        .filter((record) => record.projectId === projectId && asked(record, query))
        .sort((a, b) => (orderOf(a) < orderOf(b) ? 1 : -1))
        .filter((record) => after === null || orderOf(record) < after);
      const items = matching.slice(0, query.limit);
      const last = items.at(-1);
      return { items, nextCursor: matching.length > items.length && last !== undefined ? cursorOf(last) : null };
    },
    async *listLive() {
      for (const record of records.all()) if (!isEnded(record.status)) yield record;
    },
    async touch(id, at) {
      const record = records.get(id);
      if (record === undefined || isEnded(record.status) || record.lastActivityAt >= at) return;
      records.put(id, { ...record, lastActivityAt: at });
    },
    takeQuota: async (projectId, limit) => setQuota(projectId, inUse(projectId) + 1, inUse(projectId) < limit),
    async returnQuota(projectId) {
      setQuota(projectId, inUse(projectId) - 1, inUse(projectId) > 0);
    },
    quotaInUse: async (projectId) => inUse(projectId),
    repairQuota: async (projectId, expected, value) => setQuota(projectId, value, inUse(projectId) === expected),
    async claimIdempotency(claim) {
      const key = `${claim.projectId}#${claim.key}`;
      const existing = claims.get(key);
      if (existing !== undefined) return { existing };
      claims.put(key, claim);
      return { existing: null };
    },
    async releaseIdempotency(projectId, key, sandboxId) {
      const name = `${projectId}#${key}`;
      if (claims.get(name)?.sandboxId === sandboxId) claims.remove(name);
    },
  };
}

function asked(record: SandboxRecord, query: SandboxQuery): boolean {
  const status = query.statuses === null ? !isEnded(record.status) : query.statuses.includes(record.status);
  return status && (query.region === null || record.region === query.region);
}
