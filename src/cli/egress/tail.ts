import { allRows, type EgressAsked, type EgressPages, type EgressRow, recordedAt } from "./rows.ts";

/** Rows come to the platform in batches, those of each proxy by themselves: what is a little older may come a little later. */
const lateMs = 5_000;

export interface Tail {
  /** What came since the last call, oldest first. A connection comes when it has stayed open, and again when it ends. */
  next(signal: AbortSignal): Promise<readonly EgressRow[]>;
}

export interface TailOptions {
  readonly pages: EgressPages;
  readonly asked: EgressAsked;
  /** Epoch milliseconds; null: what comes from now on. */
  readonly since: number | null;
  readonly now: () => number;
}

export function makeTail({ pages, asked, since, now }: TailOptions): Tail {
  /** When the platform was last asked, by its own clock. */
  let last: number | null = null;
  let seen = new Map<string, EgressRow>();

  const read = async (from: number, signal: AbortSignal): Promise<readonly EgressRow[]> => {
    const { rows, at } = await allRows(pages, { ...asked, since: from }, undefined, signal);
    const fresh = rows.filter((row) => seen.get(row.id)?.state !== row.state);
    const needed = [...seen.values()].filter((row) => row.state === "open" || recordedAt(row) >= at - 2 * lateMs);
    seen = new Map([...needed, ...rows].map((row) => [row.id, row]));
    last = at;
    return fresh.toReversed();
  };

  return {
    async next(signal) {
      if (last !== null) return read(Math.max(last - lateMs, since ?? 0), signal);
      if (since !== null) return read(since, signal);
      const { at } = await pages({ ...asked, since: now() }, 1, null, signal);
      await read(at - lateMs, signal);
      return [];
    },
  };
}
