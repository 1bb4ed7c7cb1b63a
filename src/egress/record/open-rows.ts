import type { EgressRow } from "#core/model.ts";

export interface OpenRows {
  /** Again with the same id: the later row stands. */
  add(row: EgressRow, now: number): void;
  remove(id: string): void;
  /** Those the store does not know yet and should, and those it must hear of again. */
  due(now: number, limit: number): EgressRow[];
  all(): EgressRow[];
  size(): number;
}

interface Options {
  readonly openAfterMs: number;
  readonly renewEveryMs: number;
}

/** Connections that are open. Each map is in the order in which its entries fall due. */
export function makeOpenRows({ openAfterMs, renewEveryMs }: Options): OpenRows {
  const untold = new Map<string, { readonly row: EgressRow; readonly dueAt: number }>();
  const told = new Map<string, { readonly row: EgressRow; readonly dueAt: number }>();

  return {
    add(row, now) {
      const known = told.get(row.id);
      const dueAt = untold.get(row.id)?.dueAt ?? now + openAfterMs;
      if (known === undefined) untold.set(row.id, { row, dueAt });
      else told.set(row.id, { ...known, row });
    },
    remove(id) {
      untold.delete(id);
      told.delete(id);
    },
    due(now, limit) {
      const found: EgressRow[] = [];
      for (const map of [untold, told]) {
        for (const [id, { row, dueAt }] of map) {
          if (dueAt > now || found.length >= limit) break;
          map.delete(id);
          told.set(id, { row, dueAt: now + renewEveryMs });
          found.push(row);
        }
      }
      return found;
    },
    all: () => [...untold.values(), ...told.values()].map(({ row }) => row),
    size: () => untold.size + told.size,
  };
}
