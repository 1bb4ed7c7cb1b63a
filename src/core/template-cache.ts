import type { TemplateRecord } from "./model.ts";
import type { Clock, TemplateStore } from "./ports.ts";

/** Templates change rarely and each create reads one: what was read is believed this long. */
const believeMs = 5_000;

/** A TemplateStore that remembers what it read. What is written through it is seen at once, what others write after 5 s. */
export function cacheTemplates(store: TemplateStore, clock: Clock): TemplateStore {
  const known = new Map<string, { readonly record: TemplateRecord; readonly until: number }>();
  return {
    async put(record) {
      known.clear();
      await store.put(record);
      known.clear();
    },
    async get(nameOrId) {
      const cached = known.get(nameOrId);
      if (cached !== undefined && cached.until > clock.now()) return cached.record;
      const record = await store.get(nameOrId);
      if (record !== undefined) known.set(nameOrId, { record, until: clock.now() + believeMs });
      return record;
    },
    list: () => store.list(),
  };
}
