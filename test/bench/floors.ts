import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import type { Row } from "./report.ts";
import { summarize, timed } from "./statistics.ts";

const bare = "--unshare-all --die-with-parent --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp /bin/true".split(" ");

/** What no sandbox can be faster than on this machine, and what a container engine takes, measured in the same run. */
export async function floors(n: number): Promise<Row[]> {
  return [
    { what: "floor: spawn /bin/true", unit: "ms", summary: summarize(await timed(n, () => spawned("/bin/true", []))) },
    await bubblewrap(n),
    await docker(Math.min(n, 10)),
  ];
}

async function spawned(file: string, args: readonly string[]): Promise<void> {
  const child = spawn(file, args, { stdio: "ignore" });
  await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`${file} ended with ${child.exitCode ?? "a signal"}`);
}

async function bubblewrap(n: number): Promise<Row> {
  const what = "floor: bwrap … /bin/true";
  try {
    return { what, unit: "ms", summary: summarize(await timed(n, () => spawned("bwrap", bare))) };
  } catch (error) {
    return { what, unit: "ms", summary: null, note: error instanceof Error ? error.message : "bwrap failed" };
  }
}

async function docker(n: number): Promise<Row> {
  const what = "peer: docker run --rm … true";
  const run = promisify(execFile);
  try {
    const { stdout } = await run("docker", ["images", "--format", "{{.Repository}}:{{.Tag}}"], { timeout: 5000 });
    const image = stdout.split("\n").find((line) => line !== "" && !line.includes("<none>"));
    if (image === undefined) return { what, unit: "ms", summary: null, note: "the engine has no image" };
    const once = () => run("docker", ["run", "--rm", "--entrypoint", "true", image], { timeout: 30_000 });
    await once();
    return { what, unit: "ms", summary: summarize(await timed(n, once)), note: image };
  } catch {
    return { what, unit: "ms", summary: null, note: "no engine" };
  }
}
