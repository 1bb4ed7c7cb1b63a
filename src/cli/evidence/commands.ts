import { readFile, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { type Evidence, evidenceSchema } from "#contracts/control/evidence.ts";
import { type EvidenceVerdict, verifyEvidence } from "#core/evidence/verify.ts";
import { CliError } from "../failure.ts";
import { addCommonOptions, type CommonFlags } from "../options.ts";
import { json } from "../output.ts";
import type { CliDeps } from "../program.ts";

interface BundleFlags extends CommonFlags {
  readonly output?: string;
}

interface VerifyFlags {
  readonly key?: string;
  readonly json?: boolean;
}

/** `evidence <sandbox>` and `evidence verify <file>`. */
export function addEvidenceCommands(program: Command, deps: CliDeps): void {
  const evidence = addCommonOptions(program.command("evidence"))
    .summary("everything on record of a sandbox, signed")
    .description(
      "Get everything on record of a sandbox, living or ended, as one signed JSON document: its audit events, connections, network policies, secrets by name, keys that acted, how it ended.",
    )
    .argument("<sandbox>", "sandbox id")
    .option("-o, --output <file>", "write it there (default: standard output)")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead evidence 1763382095i648uu1oab -o evidence.json\n  bulkhead evidence verify evidence.json --key audit-key.pub.pem",
    )
    .action(async (id: string, flags: BundleFlags) => {
      const bundle = await deps.connect(flags).evidence(id);
      const text = `${JSON.stringify(bundle, null, 2)}\n`;
      if (flags.output === undefined) await deps.output.raw("stdout", text);
      else await writeFile(flags.output, text, { mode: 0o600 });
      const cut = bundle.truncated.audit || bundle.truncated.egress;
      if (cut) deps.output.err("bulkhead: there is more on record than a bundle holds; the newest is in it");
    });
  evidence
    .command("verify")
    .description(
      "Verify a bundle, offline: finds whether anything in it was changed, and says what. Exit code 1 when it was.",
    )
    .argument("<file>", "as bulkhead evidence wrote it")
    .option("--key <file>", "public key (PEM) that was kept elsewhere; default is the one that comes with the bundle")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  bulkhead evidence verify evidence.json --key audit-key.pub.pem")
    .action(async (path: string, _flags: VerifyFlags, command: Command) => {
      await verify(path, command.optsWithGlobals<VerifyFlags>(), deps);
    });
}

async function verify(path: string, flags: VerifyFlags, deps: CliDeps): Promise<void> {
  const bundle = await readBundle(path);
  const key = flags.key === undefined ? bundle.public_key : await readFile(flags.key, "utf8");
  let verdict: EvidenceVerdict;
  try {
    verdict = verifyEvidence(bundle, key);
  } catch (cause) {
    throw new CliError(`${flags.key ?? path} holds no public key that can be read.`, 1, cause);
  }
  deps.output.out(flags.json === true ? json(verdict) : textOf(bundle, verdict, flags.key !== undefined));
  if (!verdict.ok) deps.setExitCode(1);
}

/** As it was written: what the signature covers may be more than this command knows. */
async function readBundle(path: string): Promise<Evidence> {
  try {
    const document: unknown = JSON.parse(await readFile(path, "utf8"));
    evidenceSchema.parse(document);
    return document as Evidence;
  } catch (cause) {
    throw new CliError(`${path} is no evidence bundle. "bulkhead evidence ID -o FILE" makes one.`, 1, cause);
  }
}

function textOf(bundle: Evidence, { ok, findings, keyId }: EvidenceVerdict, ownKey: boolean): string {
  if (!ok) return `NOT INTACT: ${findings.length} findings:\n${findings.map((finding) => `  ${finding}`).join("\n")}`;
  const key = ownKey
    ? "the key that was given"
    : "the key that came with it (--key FILE checks against one that was kept elsewhere)";
  const { audit, egress } = bundle;
  return `Intact: sandbox ${bundle.sandbox_id}, ${audit.length} audit events, ${egress.length} connections, made at ${bundle.made_at}, signed by ${key}.\nKey ${keyId}`;
}
