import { createReadStream, existsSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { EgressRow } from "#core/model.ts";
import { parseLine, settledLine } from "./journal-line.ts";

export interface Unsettled {
  /** No line says how they ended. */
  readonly open: readonly EgressRow[];
  /** No mark says that the store has them. */
  readonly ended: readonly EgressRow[];
}

/** More than ever waits for a store: of a run that had given up shipping the youngest are kept. */
const mostEnded = 200_000;

/** What came into a journal after its last settled moment. null: nothing did. */
export async function readUnsettled(path: string): Promise<Unsettled | null> {
  if (await endsSettled(path)) return null;
  const open = new Map<string, EgressRow>();
  let ended: { readonly number: number; readonly row: EgressRow }[] = [];
  let any = false;
  for (const file of [`${path}.1`, path].filter((name) => existsSync(name))) {
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      const line = parseLine(text);
      if (line?.kind === "settled") {
        open.clear();
        ended = [];
        any = false;
      } else if (line?.kind === "shipped") {
        ended = ended.filter(({ number }) => number > line.through);
      } else if (line?.kind === "row" && line.row.projectId !== null) {
        any = true;
        if (line.row.state === "open") open.set(line.row.id, line.row);
        else {
          open.delete(line.row.id);
          ended.push({ number: line.number, row: line.row });
          if (ended.length > mostEnded) ended = ended.slice(-mostEnded / 2);
        }
      }
    }
  }
  return any ? { open: [...open.values()], ended: ended.map(({ row }) => row) } : null;
}

/** As after every run that was not killed: then the files, which may be large, need no reading. */
async function endsSettled(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  const wanted = Buffer.from(`${settledLine}\n`);
  const file = await openFile(path, "r");
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(wanted.length);
    await file.read(tail, 0, tail.length, Math.max(0, size - tail.length));
    return tail.equals(wanted);
  } finally {
    await file.close();
  }
}
