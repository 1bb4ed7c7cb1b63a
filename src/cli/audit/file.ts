import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import * as z from "zod";
import { chainedEventSchema, checkpointSchema } from "#contracts/control/audit.ts";
import { CliError } from "../failure.ts";
import type { AuditRecord, Exported, SignedCheckpoint } from "./record.ts";

/** A record in a file: one JSON document a line. First what it is, then the checkpoints, then the events. */
const headerSchema = z.object({
  format: z.literal("bulkhead-audit-1"),
  project: z.string(),
  from_seq: z.number().int().min(1),
  /** Only says which key signed: verification takes it from where it was kept before. */
  public_key: z.string(),
  checkpoints: z.number().int(),
});
export type FileHeader = z.infer<typeof headerSchema>;

export interface AuditFile {
  readonly header: FileHeader;
  readonly checkpoints: readonly SignedCheckpoint[];
  readonly records: AsyncIterable<Exported>;
  /** Whether it comes from a file, which always has a checkpoint. */
  readonly exported: boolean;
}

/** @returns how many events were written */
export async function writeAuditFile(record: AuditRecord, fromSeq: number, path: string): Promise<number> {
  // Signed now, so that the end of the file is covered.
  await record.checkpoint();
  const [key, checkpoints] = [await record.key(), await record.checkpoints()];
  const header: FileHeader = {
    format: "bulkhead-audit-1",
    project: key.projectId,
    from_seq: fromSeq,
    public_key: key.pem,
    checkpoints: checkpoints.length,
  };
  const out = path === "-" ? process.stdout : createWriteStream(path, { mode: 0o600 });
  const write = async (value: unknown) => {
    if (!out.write(`${JSON.stringify(value)}\n`)) await once(out, "drain");
  };
  await write(header);
  for (const checkpoint of checkpoints) await write(checkpoint);
  let count = 0;
  for await (const one of record.records(fromSeq)) {
    await write(one);
    count += 1;
  }
  if (out !== process.stdout) {
    out.end();
    await once(out, "close");
  }
  return count;
}

/** @throws CliError for a file that is no exported audit record */
export async function readAuditFile(path: string): Promise<AuditFile> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })[
    Symbol.asyncIterator
  ]();
  let number = 0;
  const next = async <T>(schema: z.ZodType<T>): Promise<T | undefined> => {
    const line = await lines.next();
    if (line.done === true) return undefined;
    number += 1;
    const parsed = schema.safeParse(parse(line.value));
    if (parsed.success) return parsed.data;
    throw new CliError(
      `Line ${number} of ${path} is not of an audit record. "bulkhead audit export" makes such files.`,
    );
  };
  const header = await next(headerSchema);
  if (header === undefined) throw new CliError(`${path} is empty.`);
  const checkpoints: SignedCheckpoint[] = [];
  for (let count = 0; count < header.checkpoints; count += 1) {
    const checkpoint = await next(checkpointSchema);
    if (checkpoint !== undefined) checkpoints.push(checkpoint);
  }
  return { header, checkpoints, records: each(() => next(chainedEventSchema)), exported: true };
}

async function* each<T>(next: () => Promise<T | undefined>): AsyncGenerator<T> {
  for (let one = await next(); one !== undefined; one = await next()) yield one;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
