import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { z } from "zod";

const root = resolve(import.meta.dirname, "../..");
const cdkJsonSchema = z.looseObject({ app: z.string(), context: z.record(z.string(), z.unknown()).default({}) });

/**
 * Runs the CDK app into a directory the way the `cdk` command does, without bundling the functions: their code has no part in the bill.
 * @throws Error with what the app wrote when it fails
 */
export async function synthesize(directory: string, context: Readonly<Record<string, unknown>>): Promise<void> {
  const cdkJson = cdkJsonSchema.parse(JSON.parse(await readFile(join(root, "cdk.json"), "utf8")));
  const all = { ...cdkJson.context, ...context, "aws:cdk:bundling-stacks": [] };
  const child = spawn(cdkJson.app, {
    cwd: root,
    shell: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"] ?? ""}`,
      CDK_OUTDIR: directory,
      CDK_CONTEXT_JSON: JSON.stringify(all),
    },
  });
  let written = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      written = (written + chunk.toString()).slice(-20_000);
    });
  await once(child, "close");
  if (child.exitCode !== 0)
    throw new Error(`"${cdkJson.app}" failed with ${child.exitCode ?? "a signal"}:\n${written}`);
}
