import { type ProcessStat, pids, statOf, uidOf } from "../proc.ts";

/** Processes as the freezer sees and signals them; tests pass their own. */
export interface Processes {
  /** Those of user code, in any order. */
  list(): readonly ProcessStat[];
  /** One of them as it is now; undefined when it has gone. */
  find(pid: number): ProcessStat | undefined;
  signal(pid: number, signal: "SIGSTOP" | "SIGCONT"): void;
}

/** Everything but the agent and what runs it; where user code has a uid of its own, only that uid's. */
export function userProcesses(uid: number | undefined): Processes {
  const own = uid ?? process.getuid?.();
  const spared = new Set([1, process.pid, process.ppid]);
  // Root's processes are no sandbox's: an agent that runs as root and knows of no other user has none around it.
  if (own === 0) return { list: () => [], find: statOf, signal: () => {} };
  return {
    list: () =>
      pids().flatMap((pid) => {
        if (spared.has(pid) || uidOf(pid) !== own) return [];
        return statOf(pid) ?? [];
      }),
    find: statOf,
    signal(pid, signal) {
      try {
        process.kill(pid, signal);
      } catch {
        // It has ended.
      }
    },
  };
}

/** By how many of its ancestors are in the list: those without any first, then their children, and so on. */
export function byDepth(processes: readonly ProcessStat[]): readonly (readonly ProcessStat[])[] {
  const parents = new Map(processes.map(({ pid, parent }) => [pid, parent]));
  const depthOf = (pid: number): number => {
    let depth = 0;
    for (let at = parents.get(pid); at !== undefined && depth < parents.size; at = parents.get(at)) depth += 1;
    return depth;
  };
  const levels = new Map<number, ProcessStat[]>();
  for (const each of processes) {
    const depth = depthOf(each.pid);
    levels.set(depth, [...(levels.get(depth) ?? []), each]);
  }
  return [...levels].sort(([one], [other]) => one - other).map(([, level]) => level);
}
