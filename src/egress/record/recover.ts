import { appendFile } from "node:fs/promises";
import type { EgressRow } from "#core/model.ts";
import { interrupted, recordedAt } from "#core/network/egress-row.ts";
import type { EgressStore, Page } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { settledLine } from "./journal-line.ts";
import { readUnsettled } from "./unsettled.ts";

export interface RecoverOptions {
  /** Of the journal; the file before it is read as well. */
  readonly path: string;
  readonly store: EgressStore;
  readonly logger: Logger;
}

export interface Recovered {
  /** Connections that were open when the run before was killed. */
  readonly interrupted: number;
  /** Rows that it recorded and did not bring to the store. */
  readonly shipped: number;
}

const batchRows = 500;
const pageRows = 1_000;

/**
 * Brings to the store what a run that was killed left in the journal only. Before a journal is opened there. Safe to repeat.
 * @throws BulkheadError when the store does not take it
 */
export async function recoverJournal({ path, store, logger }: RecoverOptions): Promise<Recovered> {
  const left = await readUnsettled(path);
  if (left === null) return { interrupted: 0, shipped: 0 };
  const missing = await notStored(store, left.ended);
  const cut = left.open.map(interrupted);
  for (const rows of [missing, cut]) {
    for (let from = 0; from < rows.length; from += batchRows) await store.append(rows.slice(from, from + batchRows));
  }
  await appendFile(path, `\n${settledLine}\n`, { mode: 0o600 });
  const recovered = { interrupted: cut.length, shipped: missing.length };
  if (cut.length + missing.length > 0) logger.info("Egress rows of a run that was cut off are recovered", recovered);
  return recovered;
}

/** A batch may have come to the store without the mark that says so. */
async function notStored(store: EgressStore, ended: readonly EgressRow[]): Promise<EgressRow[]> {
  const missing: EgressRow[] = [];
  for (const projectId of new Set(ended.map((row) => row.projectId))) {
    if (projectId === null) continue;
    const rows = ended.filter((row) => row.projectId === projectId);
    const stored = await storedSince(
      store,
      projectId,
      rows.reduce((least, row) => Math.min(least, recordedAt(row)), Number.MAX_SAFE_INTEGER),
    );
    missing.push(...rows.filter(({ id }) => !stored.has(id)));
  }
  return missing;
}

async function storedSince(store: EgressStore, projectId: string, since: number): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  const query = { limit: pageRows, sandboxId: null, host: null, decision: null, state: null, since, until: null };
  let cursor: string | null = null;
  do {
    const page: Page<EgressRow> = await store.list(projectId, { ...query, cursor });
    for (const { id, endedAt } of page.items) if (endedAt !== null) ids.add(id);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return ids;
}
