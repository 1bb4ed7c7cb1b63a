import { BulkheadError } from "#contracts/errors.ts";
import type { EgressRow } from "#core/model.ts";
import { interrupted, recordedAt, rowMatches } from "#core/network/egress-row.ts";
import type { Clock, EgressStore } from "#core/ports.ts";

interface Kept {
  readonly row: EgressRow;
  /** Order in which it ended; 0 while it is open. */
  readonly ended: number;
  readonly seenAt: number;
}

const silentMs = 120_000;
const retentionMs = 30 * 86_400_000;

/** The egress record in memory, with the promises of the real one. */
export function makeMemoryEgressStore(clock: Clock): EgressStore {
  const projects = new Map<string, Map<string, Kept>>();
  let order = 0;

  function keep(rows: Map<string, Kept>, row: EgressRow): void {
    const known = rows.get(row.id);
    if (row.state === "open" && known !== undefined && known.ended > 0) return;
    const ended = row.state === "open" ? 0 : known === undefined || known.ended === 0 ? ++order : known.ended;
    rows.set(row.id, { row: structuredClone(row), ended, seenAt: clock.now() });
  }

  return {
    async append(rows) {
      for (const row of rows) {
        if (row.projectId === null) continue;
        const kept = projects.get(row.projectId) ?? new Map<string, Kept>();
        projects.set(row.projectId, kept);
        keep(kept, row);
      }
    },
    async list(projectId, { limit, cursor, ...filter }) {
      const { began, below } = cursor === null ? { began: order, below: null } : decode(cursor);
      const now = clock.now();
      const found = [...(projects.get(projectId)?.values() ?? [])]
        .filter(({ row }) => recordedAt(row) + retentionMs > now)
        .map(({ row, ended, seenAt }) => ({
          at: placeOf(row, ended > 0 && ended <= began),
          row: row.state === "open" && seenAt < now - silentMs ? interrupted(row) : row,
        }))
        .filter(({ at, row }) => (below === null || at < below) && rowMatches(row, filter))
        .sort((a, b) => (a.at < b.at ? 1 : -1));
      const items = found.slice(0, limit);
      const last = items.at(-1);
      const more = found.length > items.length && last !== undefined;
      return { items: structuredClone(items.map(({ row }) => row)), nextCursor: more ? encode(began, last.at) : null };
    },
  };
}

/** A row that ended after the list began keeps the place that it had when it was open. */
function placeOf(row: EgressRow, before: boolean): string {
  return `${String(before ? recordedAt(row) : row.startedAt).padStart(14, "0")}#${row.id}`;
}

function encode(began: number, below: string): string {
  return Buffer.from(`memory:${began}:${below}`).toString("base64url");
}

function decode(cursor: string): { readonly began: number; readonly below: string } {
  const [, began, below] = /^memory:(\d+):(.+)$/.exec(Buffer.from(cursor, "base64url").toString("utf8")) ?? [];
  if (began !== undefined && below !== undefined) return { began: Number(began), below };
  throw new BulkheadError("INVALID_REQUEST", "Unknown cursor. Start the list again without one.");
}
