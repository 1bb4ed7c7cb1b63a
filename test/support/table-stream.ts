import type { InstanceRecord } from "#core/model.ts";
import type { Clock, InstanceStore } from "#core/ports.ts";

/** What the table's stream tells the one who launches. */
export type StreamEvent = { readonly inserted: InstanceRecord } | { readonly claimed: InstanceRecord };

/** An instance store whose changes are told a moment later, as DynamoDB's stream does. */
export function withStream(store: InstanceStore, clock: Clock, tell: (event: StreamEvent) => void): InstanceStore {
  const later = (event: StreamEvent) => void clock.after(300, () => tell(event));
  return {
    ...store,
    async insert(record) {
      const written = await store.insert(record);
      if (written === "written") later({ inserted: record });
      return written;
    },
    async claim(id, sandboxId) {
      const claimed = await store.claim(id, sandboxId);
      if (claimed !== null) later({ claimed });
      return claimed;
    },
  };
}
