import { readdirSync } from "node:fs";
import { join } from "node:path";
import { chooseRunDir, groupName } from "#local/compute/run-dir.ts";
import {
  cgroups,
  familyOf,
  type HostProcess,
  loopDevicesUnder,
  mountsUnder,
  processesWith,
  survivors,
} from "./host.ts";
import type { RunningPlatform } from "./platform.ts";
import { until } from "./until.ts";

/** What one platform holds of the host: to be compared with what is left after its end. */
export interface Footprint {
  readonly home: string;
  readonly runDir: string;
  readonly processes: readonly HostProcess[];
}

/** Call while sandboxes run. */
export function footprint(platform: RunningPlatform, uid = process.geteuid?.() ?? 0): Footprint {
  const { home } = platform;
  return { home, runDir: chooseRunDir({ root: uid === 0, uid, dataDir: home }), processes: familyOf(platform.pid) };
}

/**
 * Everything of `before` that is still there, in words; empty when nothing is. With a platform `running` on the data directory and
 * nothing warm, only what belongs to instances counts.
 */
export function residue({ home, runDir, processes }: Footprint, running = false): string[] {
  const group = groupName(home);
  return [
    ...survivors(processes).map(({ pid, command }) => `process ${pid} ${command.slice(0, 120)}`),
    ...processesWith(group).map(({ pid, command }) => `process ${pid} ${command.slice(0, 120)}`),
    ...cgroups()
      .filter((path) => path.includes(running ? `${group}/` : group))
      .map((path) => `cgroup ${path}`),
    ...[home, runDir].flatMap((directory) => mountsUnder(directory)).map((line) => `mount ${line}`),
    ...loopDevicesUnder(home).map((name) => `loop device ${name}`),
    ...entries(join(runDir, "i")).map((name) => `directory ${join(runDir, "i", name)}`),
    ...entries(join(runDir, "s")).map((name) => `socket ${join(runDir, "s", name)}`),
    ...instanceEntries(home).map((path) => `file ${path}`),
  ];
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Gone, which is what is wanted.
    return [];
  }
}

/** Paths in the data directory that carry an instance id: images, directories. */
function instanceEntries(directory: string, depth = 3): string[] {
  if (depth === 0) return [];
  return entries(directory).flatMap((name) => {
    const path = join(directory, name);
    return /^i[a-z0-9]{16}/.test(name) ? [path] : instanceEntries(path, depth - 1);
  });
}

/** Waits until nothing of `before` is left; fails with what is. */
export async function expectNothingLeft(before: Footprint, timeoutMs = 20_000): Promise<void> {
  const options = { timeoutMs, everyMs: 100 };
  await until("end of what the platform held", () => residue(before).length === 0, options).catch((error: unknown) => {
    throw new Error(`Left behind: ${residue(before).join("; ")}`, { cause: error });
  });
}

/** What survives of the processes that ran before a crash, once a new platform has cleaned up. */
export async function expectProcessesGone(before: Footprint, timeoutMs = 20_000): Promise<void> {
  await until("end of the crashed platform's processes", () => survivors(before.processes).length === 0, { timeoutMs });
}
