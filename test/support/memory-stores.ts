import type { ApiKeyRecord, AuditEvent, InstanceRecord, TemplateRecord } from "#core/model.ts";
import type {
  AuditInbox,
  Clock,
  EgressStore,
  InstanceStore,
  KeyStore,
  SandboxStore,
  TemplateStore,
} from "#core/ports.ts";
import { makeMemoryEgressStore } from "./memory-egress-store.ts";
import { makeMemorySandboxStore } from "./memory-sandbox-store.ts";
import { cursorOf, makeMemoryTable, orderOf, positionIn } from "./memory-table.ts";

/** The store ports in memory. They pass the same suites (test/contract) as the DynamoDB adapters. */
export interface MemoryStores {
  readonly sandboxes: SandboxStore;
  readonly instances: InstanceStore;
  readonly templates: TemplateStore;
  readonly keys: KeyStore;
  readonly audit: AuditInbox & { readonly events: readonly AuditEvent[] };
  readonly egress: EgressStore;
}

export function makeMemoryStores(clock: Clock): MemoryStores {
  const audit = makeAudit();
  return {
    sandboxes: makeMemorySandboxStore(clock, audit),
    instances: makeInstances(clock),
    templates: makeTemplates(clock),
    keys: makeKeys(clock),
    audit,
    egress: makeMemoryEgressStore(clock),
  };
}

function makeInstances(clock: Clock): InstanceStore {
  const records = makeMemoryTable<InstanceRecord>(clock);
  return {
    insert: async (record) => records.insert(record.id, record),
    replace: async (record) => records.replace(record.id, record),
    get: async (id) => records.get(id),
    listWarm: async (templateName, limit) =>
      records
        .all()
        .filter((record) => record.state === "warm" && record.templateName === templateName)
        .sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
        .slice(0, limit)
        .map((record) => record.id),
    async claim(id, sandboxId) {
      const record = records.get(id);
      if (record?.state !== "warm" || record.sandboxId !== null) return null;
      const claimed: InstanceRecord = { ...record, state: "claimed", sandboxId, version: record.version + 1 };
      records.put(id, claimed);
      return claimed;
    },
    findByAddress: async (host) =>
      records
        .all()
        .filter((record) => record.state !== "warm" && record.endpoint?.kind === "tcp" && record.endpoint.host === host)
        .sort((a, b) => (orderOf(a) > orderOf(b) ? -1 : 1))[0],
    async *listAll() {
      yield* records.all();
    },
    remove: async (id) => records.remove(id),
  };
}

function makeTemplates(clock: Clock): TemplateStore {
  const records = makeMemoryTable<TemplateRecord>(clock);
  return {
    put: async (record) => records.put(record.name, record),
    get: async (nameOrId) => records.all().find((record) => record.name === nameOrId || record.id === nameOrId),
    list: async () => records.all().sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function makeKeys(clock: Clock): KeyStore {
  const records = makeMemoryTable<ApiKeyRecord>(clock);
  return {
    insert: async (record) => records.insert(record.id, record),
    get: async (id) => records.get(id),
    list: async (projectId) =>
      records
        .all()
        .filter((record) => record.projectId === projectId && record.decoyFor === null)
        .sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)),
    async revoke(id, at) {
      const record = records.get(id);
      if (record?.revokedAt !== null) return "lost";
      records.put(id, { ...record, revokedAt: at });
      return "written";
    },
    async supersede(id, replacedBy, expiresAt) {
      const record = records.get(id);
      if (record?.revokedAt !== null || record.replacedBy !== null) return "lost";
      records.put(id, { ...record, replacedBy, expiresAt, rotateAt: null });
      return "written";
    },
    async markUsed(id, at) {
      const record = records.get(id);
      if (record !== undefined) records.put(id, { ...record, lastUsedAt: at });
    },
  };
}

function makeAudit(): MemoryStores["audit"] {
  const events: AuditEvent[] = [];
  return {
    events,
    append: async (event) => void events.push(structuredClone(event)),
    async list(projectId, limit, cursor) {
      const after = cursor === null ? null : positionIn(cursor);
      const matching = events
        .filter((event) => event.projectId === projectId)
        .sort((a, b) => (orderOf(placed(a)) < orderOf(placed(b)) ? 1 : -1))
        .filter((event) => after === null || orderOf(placed(event)) < after);
      const items = matching.slice(0, limit);
      const last = items.at(-1);
      return {
        items,
        nextCursor: matching.length > items.length && last !== undefined ? cursorOf(placed(last)) : null,
      };
    },
  };
}

const placed = (event: AuditEvent) => ({ createdAt: event.at, id: event.id });
