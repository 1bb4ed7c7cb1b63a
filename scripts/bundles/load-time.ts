import { spawn } from "node:child_process";
import { once } from "node:events";
import { pathToFileURL } from "node:url";

const program = `
  const before = performance.now();
  const module = await import(process.argv[1]);
  const took = performance.now() - before;
  if (typeof module.handler !== "function") throw new Error("exports no handler");
  process.stdout.write("\\n" + JSON.stringify(took) + "\\n", () => process.exit(0));
`;

/** Milliseconds that importing a bundle takes in a process of its own. @throws Error with what it wrote when it does not load */
export async function loadOnce(file: string, environment: Readonly<Record<string, string>>): Promise<number> {
  const url = pathToFileURL(file).href;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, url], {
    stdio: ["ignore", "pipe", "pipe"],
    // Nothing of ours: no credentials, no options for node.
    env: { ...environment },
    timeout: 30_000,
  });
  const written = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (written.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (written.err += chunk.toString()));
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`${file} does not load:\n${readable(written.err)}`);
  return Number(written.out.trim().split("\n").at(-1));
}

/** Node.js quotes the line that failed; in a minified bundle that is the whole program. */
function readable(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && line.length < 500);
  return lines.slice(0, 12).join("\n");
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (upper + lower) / 2;
}

/** Median of several fresh processes, one after the other: side by side they would measure each other. The first only warms the disk's cache. */
export async function loadTime(
  file: string,
  environment: Readonly<Record<string, string>>,
  runs: number,
): Promise<number> {
  const times: number[] = [];
  await loadOnce(file, environment);
  for (let run = 0; run < runs; run += 1) times.push(await loadOnce(file, environment));
  return median(times);
}
