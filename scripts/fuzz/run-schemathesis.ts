import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureSchemathesis } from "../ensure-schemathesis.mjs";

/**
 * What is looked at in every answer: no 5xx, no status or body that the document does not know, within its time. Whether keys are asked
 * for is the access matrix (test/contract): many wrong ones from one address are answered 429.
 */
const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "unsupported_method",
];

export interface FuzzOptions {
  readonly url: string;
  readonly apiKey: string;
  /** For the whole run; what has not been tried by then is left. */
  readonly seconds: number;
  readonly seed: number;
  /** Absolute; holds the OpenAPI document. */
  readonly document: string;
}

export interface FuzzResult {
  readonly failed: boolean;
  /** What schemathesis says at its end. */
  readonly text: string;
}

/** Makes requests from the document, bounded in time and repeatable by its seed. The output is also shown while it runs. */
export async function runSchemathesis(options: FuzzOptions, say: (text: string) => void): Promise<FuzzResult> {
  const python = await ensureSchemathesis((line) => say(`${line}\n`));
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-fuzz-"));
  try {
    const child = spawn(python, ["-m", "schemathesis.cli", ...argumentsOf(options)], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        say(chunk.toString());
      });
    }
    await once(child, "close");
    return { failed: child.exitCode !== 0, text };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function argumentsOf({ url, apiKey, seconds, seed, document }: FuzzOptions): string[] {
  return [
    "run",
    document,
    ...["--url", url, "--header", `X-API-Key: ${apiKey}`],
    ...["--checks", checks.join(","), "--phases", "examples,coverage,fuzzing", "--mode", "all"],
    ...["--max-time", String(seconds), "--request-timeout", "30", "--max-response-time", "30"],
    ...["--seed", String(seed), "--max-examples", "40", "--workers", "2", "--continue-on-failure"],
    ...["--no-color", "--suppress-health-check", "all", "--warnings", "off", "--output-sanitize", "true"],
  ];
}
