import type { Stores } from "#aws/stores.ts";

/** Writes that nobody waits for. A function is frozen when it has answered, so it waits for them itself before. */
export interface Unawaited {
  readonly stores: Stores;
  /** Resolves when every write that was begun has come out, whichever way: its own code deals with failures. */
  readonly settle: () => Promise<void>;
}

/** The same stores, with the writes watched that the core does behind the answer: records of reads, last use of a key. */
export function watchUnawaited(stores: Stores): Unawaited {
  const pending = new Set<Promise<unknown>>();
  const watched = <T>(work: Promise<T>): Promise<T> => {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    pending.add(settled);
    void settled.then(() => pending.delete(settled));
    return work;
  };
  return {
    stores: {
      ...stores,
      audit: { ...stores.audit, append: (event) => watched(stores.audit.append(event)) },
      keys: { ...stores.keys, markUsed: (id, at) => watched(stores.keys.markUsed(id, at)) },
    },
    async settle() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
