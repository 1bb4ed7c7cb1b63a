import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { ensureMoto } from "../../../scripts/ensure-moto.mjs";
import type { SynthesizedTemplate } from "./template.ts";

const findingSchema = z.object({
  Filename: z.string(),
  Level: z.string(),
  Location: z.object({ Path: z.array(z.union([z.string(), z.number()])).nullable() }),
  Message: z.string(),
  Rule: z.object({ Id: z.string() }),
});

/** Something that cfn-lint has against a template. */
export interface Finding {
  readonly stack: string;
  /** E… an error, W… a warning. */
  readonly rule: string;
  readonly path: string;
  readonly message: string;
}

/** Regions whose resource types the templates are held against: old and new ones on three continents. */
const regions = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2"];
const lintMs = 120_000;
const maxBytes = 20_000_000;

/**
 * Holds templates against CloudFormation's own resource schemas: types, properties, values, references. Offline; cfn-lint comes with moto.
 */
export async function lint(templates: ReadonlyMap<string, SynthesizedTemplate>): Promise<Finding[]> {
  const python = await ensureMoto((line) => console.error(line));
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-cfn-lint-"));
  try {
    const files = [...templates].map(async ([stack, template]) => {
      const file = join(directory, stack);
      await writeFile(file, JSON.stringify(template));
      return file;
    });
    const program = "from cfnlint.runner import main; main()";
    const args = [
      "-c",
      program,
      "--format",
      "json",
      "--regions",
      ...regions,
      "--template",
      ...(await Promise.all(files)),
    ];
    return parse(await answerOf(python, args), directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Its exit code says what it found; without an answer it did not run. */
function answerOf(python: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(python, args, { timeout: lintMs, maxBuffer: maxBytes }, (error, stdout, stderr) => {
      if (stdout.startsWith("[")) resolve(stdout);
      else reject(new Error(`cfn-lint did not run: ${stderr}`, { cause: error }));
    });
  });
}

function parse(json: string, directory: string): Finding[] {
  return z
    .array(findingSchema)
    .parse(JSON.parse(json))
    .map(({ Filename, Location, Message, Rule }) => ({
      stack: Filename.slice(directory.length + 1),
      rule: Rule.Id,
      path: (Location.Path ?? []).join("/"),
      message: Message,
    }));
}
