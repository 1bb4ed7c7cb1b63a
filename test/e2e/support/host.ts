import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A process of this host, told from a later one with the same number by its start time. */
export interface HostProcess {
  readonly pid: number;
  readonly parent: number;
  readonly startTime: string;
  readonly command: string;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Gone between listing and reading, or not ours to read.
    return "";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Every live process (zombies left out). */
export function processes(): HostProcess[] {
  return list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = read(`/proc/${name}/stat`);
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (stat === "" || fields[0] === "Z") return [];
      return {
        pid: Number(name),
        parent: Number(fields[1]),
        startTime: fields[19] ?? "",
        command: read(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim(),
      };
    });
}

export function childrenOf(pid: number): number[] {
  return processes()
    .filter(({ parent }) => parent === pid)
    .map((child) => child.pid);
}

/** `pid` itself and all that descends from it. */
export function familyOf(pid: number): HostProcess[] {
  const all = processes();
  const family = new Set([pid]);
  let size: number;
  do {
    size = family.size;
    for (const { pid: child, parent } of all) if (family.has(parent)) family.add(child);
  } while (family.size > size);
  return all.filter((candidate) => family.has(candidate.pid));
}

/** Which of `before` still run. */
export function survivors(before: readonly HostProcess[]): HostProcess[] {
  const now = new Map(processes().map((candidate) => [candidate.pid, candidate.startTime]));
  return before.filter(({ pid, startTime }) => now.get(pid) === startTime);
}

/** Processes whose command line holds `text`, as the host sees them (also those inside sandboxes). */
export function processesWith(text: string): HostProcess[] {
  return processes().filter(({ command, pid }) => pid !== process.pid && command.includes(text));
}

/** Mount points of this mount namespace (or of process `pid`) under `directory`, or of a file under it. */
export function mountsUnder(directory: string, pid: number | "self" = "self"): string[] {
  return read(`/proc/${pid}/mountinfo`)
    .split("\n")
    .filter((line) => line.includes(directory));
}

/** Loop devices backed by a file under `directory`. */
export function loopDevicesUnder(directory: string): string[] {
  return list("/sys/block").filter(
    (name) => name.startsWith("loop") && read(`/sys/block/${name}/loop/backing_file`).startsWith(directory),
  );
}

/** Directories of every cgroup hierarchy, relative to /sys/fs/cgroup. */
export function cgroups(directory = "/sys/fs/cgroup", depth = 4): string[] {
  if (depth === 0) return [];
  return readdirSyncSafe(directory).flatMap((name) => {
    const path = join(directory, name);
    return [path, ...cgroups(path, depth - 1)];
  });
}

function readdirSyncSafe(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** Cgroup directories that process `pid` is in, by controller; "" is the v2 hierarchy. */
export function cgroupsOf(pid: number): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of read(`/proc/${pid}/cgroup`).trim().split("\n")) {
    const [, controllers = "", path = "/"] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const controller of controllers.split(",")) {
      const root = controller === "" ? unifiedRoot() : `/sys/fs/cgroup/${controllers}`;
      const link = list("/sys/fs/cgroup").includes(controllers) ? root : `/sys/fs/cgroup/${controller}`;
      found.set(controller, join(controller === "" ? root : link, path));
    }
  }
  return found;
}

function unifiedRoot(): string {
  return list("/sys/fs/cgroup").includes("unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
}

/** Text of a small host file, "" when it cannot be read. */
export const readHost = read;
