import { readFile } from "node:fs/promises";
import { type ChainVerdict, makeChainVerifier } from "#core/audit-chain/verify.ts";
import type { ChainedEvent } from "#core/ports.ts";
import { CliError } from "../failure.ts";
import type { CommonFlags } from "../options.ts";
import { json } from "../output.ts";
import type { CliDeps } from "../program.ts";
import { type AuditFile, readAuditFile } from "./file.ts";

export interface VerifyFlags extends CommonFlags {
  readonly key?: string;
  readonly from?: number;
}

/** Offline for a file; else what the platform has now. Ends with exit code 1 when the record does not hold together. */
export async function verifyRecord(path: string | undefined, flags: VerifyFlags, deps: CliDeps): Promise<void> {
  const given = flags.key === undefined ? undefined : await readFile(flags.key, "utf8");
  const source = path === undefined ? await served(flags, deps) : await readAuditFile(path);
  if (source.header.from_seq !== (flags.from ?? 1)) {
    throw new CliError(
      `This record begins with event ${source.header.from_seq}: what was before is not shown. If that is meant, say --from ${source.header.from_seq}.`,
    );
  }
  const verdict = await verdictOn(source, given ?? source.header.public_key);
  deps.output.out(flags.json === true ? json(verdict) : textOf(verdict, given !== undefined));
  if (!verdict.ok) deps.setExitCode(1);
}

async function verdictOn(source: AuditFile, publicKeyPem: string): Promise<ChainVerdict> {
  const { checkpoints, header } = source;
  const verifier = makeChainVerifier({
    fromSeq: header.from_seq,
    projectId: header.project,
    // An export is signed as it is made.
    signed: source.exported,
    checkpoints,
    publicKeyPem,
  });
  for await (const record of source.records) verifier.next(record as unknown as ChainedEvent);
  return verifier.end();
}

async function served(flags: VerifyFlags, deps: CliDeps): Promise<AuditFile> {
  const { audit } = deps.connect(flags);
  const [key, checkpoints] = [await audit.key(), await audit.checkpoints()];
  const header = {
    format: "bulkhead-audit-1" as const,
    project: key.projectId,
    from_seq: 1,
    public_key: key.pem,
    checkpoints: checkpoints.length,
  };
  return { header, checkpoints, records: audit.records(1), exported: false };
}

function textOf({ ok, count, head, checkpoints, signedThrough, findings }: ChainVerdict, ownKey: boolean): string {
  const key = ownKey
    ? "the key that was given"
    : "the key that came with it (--key FILE checks against one that was kept elsewhere)";
  if (ok) {
    const rest = head.seq > signedThrough ? ` Events after ${signedThrough} are not signed yet.` : "";
    return `Intact: ${count} events up to ${head.seq}, ${checkpoints} checkpoints signed by ${key}.${rest}\nHead ${head.hash}`;
  }
  const lines = findings.map((finding) => `  ${finding.kind.padEnd(10)}  ${finding.what}`);
  return `NOT INTACT: ${count} events read, ${findings.length} findings:\n${lines.join("\n")}`;
}
