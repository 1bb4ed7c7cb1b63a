import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { aPlatform, aRequest, ask, eventually, traces } from "./support.ts";

const script = fileURLToPath(new URL("./supervisor.ts", import.meta.url));
const command = [process.execPath, "--import", "tsx", script];
const root = process.getuid?.() === 0;

async function startSupervisor(argv: readonly string[]): Promise<ChildProcess> {
  const child = spawn(argv[0] ?? "", argv.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit").then(() => {
    throw new Error("the supervisor ended before it was ready");
  });
  ended.catch(() => {});
  await Promise.race([once(child.stdout, "data"), ended]);
  return child;
}

describe("kill -9 of the platform", () => {
  it.each([
    ["in the host's mount namespace", []],
    ["in a mount namespace of its own", ["unshare", "--mount", "--propagation", "private"]],
  ])("%s leaves nothing after the next start", async (_name, prefix) => {
    if (prefix.length > 0 && !root) return;
    const dataDir = mkdtempSync("/tmp/bh-kill-");
    const supervisor = await startSupervisor([...prefix, ...command, dataDir]);
    supervisor.kill("SIGKILL");
    await once(supervisor, "exit");

    const platform = await aPlatform({ dataDir });
    const left = traces(platform).length;
    const found = await platform.compute.start();
    expect(left).toBeGreaterThan(0);
    expect(found.directories).toBe(2);
    await eventually(() => traces(platform).length === 0);
    expect(await platform.compute.list()).toEqual([]);
    const request = aRequest();
    await ask(await platform.compute.launch(request), "/");
    await platform.remove();
    expect(traces(platform)).toEqual([]);
  });
});
