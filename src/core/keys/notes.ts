import type { Signals } from "../alerts/signals.ts";
import type { ApiKeyRecord } from "../model.ts";
import type { Clock, KeyStore } from "../ports.ts";

export interface KeyNotesDeps {
  readonly keys: Pick<KeyStore, "markUsed">;
  readonly clock: Pick<Clock, "now">;
  readonly signals?: Signals | undefined;
}

/** Last use is written at most this often per key. */
const usedEveryMs = 60_000;
const overdueEveryMs = 86_400_000;

/** What is noted of keys as they are used. A request never fails or waits for it. */
export function makeKeyNotes({ keys, clock, signals }: KeyNotesDeps): { used(record: ApiKeyRecord): void } {
  const usedAt = new Map<string, number>();
  const overdueAt = new Map<string, number>();
  const due = (known: Map<string, number>, id: string, everyMs: number): boolean => {
    const now = clock.now();
    if ((known.get(id) ?? Number.NEGATIVE_INFINITY) + everyMs > now) return false;
    known.set(id, now);
    return true;
  };
  return {
    used({ id, projectId, rotateAt }) {
      if (due(usedAt, id, usedEveryMs)) keys.markUsed(id, clock.now()).catch(() => usedAt.delete(id));
      if (rotateAt !== null && rotateAt <= clock.now() && due(overdueAt, id, overdueEveryMs)) {
        signals?.raise({ type: "key.overdue", projectId, keyId: id, rotateAt });
      }
    },
  };
}
