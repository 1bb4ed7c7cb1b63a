import { existsSync, readdirSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import type { CgroupFacts, Controller } from "#local/probe/facts.ts";
import { controllers } from "#local/probe/facts.ts";
import { type CgroupLimits, limitFiles, readMembers, readOomKills, writeLimits } from "./cgroup-files.ts";
import { killQuietly } from "./processes.ts";

/** Cgroups of this platform's instances, under one directory per hierarchy named `group`. */
export interface Cgroups {
  /** Makes the instance's cgroups with their limits in place. */
  create(name: string, limits: CgroupLimits): Promise<void>;
  /** Moves a process in; its later children are born inside. */
  join(name: string, pid: number): Promise<void>;
  members(name: string): readonly number[];
  oomKills(name: string): number;
  /** Kills whoever is inside and removes the cgroups. Succeeds when there are none. @throws Error when they stay busy */
  remove(name: string): Promise<void>;
  /** Names of all instances with a cgroup, left over ones too. */
  list(): readonly string[];
  /** Removes the group's own directory once it is empty. */
  close(): Promise<void>;
  enforced(controller: Controller): string | null;
}

const removeDeadlineMs = 5_000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function rmdirIfThere(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}

/** Kills and removes until both are done; a cgroup stays busy for a moment after its last process died. */
async function removeDirectory(path: string): Promise<void> {
  const giveUpAt = performance.now() + removeDeadlineMs;
  for (let pause = 1; ; pause = Math.min(pause * 2, 100)) {
    for (const pid of readMembers(path)) killQuietly(pid);
    if (await rmdirIfThere(path)) return;
    if (performance.now() > giveUpAt) throw new Error(`cgroup ${path} stays busy`);
    await sleep(pause);
  }
}

export function makeCgroups(facts: CgroupFacts, group: string): Cgroups {
  if (facts.kind === "none") return noCgroups;
  const kind = facts.kind;
  const held: readonly Controller[] =
    kind === "v2" ? facts.controllers : controllers.filter((name) => facts.parents[name] !== undefined);
  /** Several controllers can share one hierarchy (v1 mounts cpu,cpuacct together; v2 always). */
  const groupDirectory = (controller: Controller): string =>
    kind === "v2" ? `${facts.parent}/${group}` : `${facts.parents[controller] ?? ""}/${group}`;
  const roots = [...new Set(held.map(groupDirectory))];

  async function prepare(): Promise<void> {
    await Promise.all(roots.map((root) => mkdir(root, { recursive: true })));
    if (kind === "v2")
      await writeFile(`${groupDirectory("memory")}/cgroup.subtree_control`, held.map((c) => `+${c}`).join(" "));
  }
  let prepared: Promise<void> | null = null;

  return {
    async create(name, limits) {
      prepared ??= prepare();
      await prepared;
      await Promise.all(roots.map((root) => mkdir(`${root}/${name}`)));
      const files = limitFiles(kind, limits);
      await Promise.all(
        held.map((controller) => writeLimits(`${groupDirectory(controller)}/${name}`, files[controller])),
      );
    },
    async join(name, pid) {
      await Promise.all(roots.map((root) => writeFile(`${root}/${name}/cgroup.procs`, String(pid))));
    },
    members: (name) => [...new Set(roots.flatMap((root) => readMembers(`${root}/${name}`)))],
    oomKills: (name) => readOomKills(kind, `${groupDirectory("memory")}/${name}`),
    async remove(name) {
      await Promise.all(roots.map((root) => removeDirectory(`${root}/${name}`)));
    },
    list: () => [
      ...new Set(
        roots.flatMap((root) =>
          existsSync(root)
            ? readdirSync(root, { withFileTypes: true })
                .filter((entry) => entry.isDirectory())
                .map((entry) => entry.name)
            : [],
        ),
      ),
    ],
    async close() {
      await Promise.all(roots.map(rmdirIfThere));
      prepared = null;
    },
    enforced: (controller) => (held.includes(controller) ? `cgroup-${kind}` : null),
  };
}

const noCgroups: Cgroups = {
  create: () => Promise.resolve(),
  join: () => Promise.resolve(),
  members: () => [],
  oomKills: () => 0,
  remove: () => Promise.resolve(),
  list: () => [],
  close: () => Promise.resolve(),
  enforced: () => null,
};
