import { mkdir } from "node:fs/promises";
import type { Enforcement } from "#contracts/domain.ts";
import { writeEtc, writeOpt } from "./base-files.ts";
import { type Bind, readSystemLinks } from "./bwrap-args.ts";
import { type Cgroups, makeCgroups } from "./cgroups.ts";
import { type DiskShelf, makeDiskShelf } from "./disk-shelf.ts";
import { type Disks, makeDisks } from "./disks.ts";
import { enforcementOf } from "./enforcement.ts";
import { makeExposedSources } from "./exposed-sources.ts";
import { type IdentityPool, makeIdentityPool } from "./identity.ts";
import type { Workshop } from "./instance.ts";
import { cleanLeftovers, removeRunDir } from "./leftovers.ts";
import { unmountAllBelow } from "./mounts.ts";
import { runCommand } from "./run-command.ts";
import { groupName, makeRunDir } from "./run-dir.ts";
import type { Leftovers, LocalComputeDeps } from "./types.ts";

/** What is known of a platform before anything is written. */
export interface Parts {
  readonly group: string;
  readonly imageDirectory: string;
  readonly cgroups: Cgroups;
  /** null: the disk is a tmpfs. */
  readonly disks: Disks | null;
  readonly shelf: DiskShelf;
  readonly identities: IdentityPool;
  readonly enforced: Enforcement;
}

export function makeParts(deps: LocalComputeDeps): Parts {
  const group = groupName(deps.dataDir);
  const imageDirectory = `${deps.dataDir}/disks`;
  const cgroups = makeCgroups(deps.host.cgroup, group);
  const disks = deps.host.diskTiers[0] === "ext4-image" ? makeDisks(runCommand, imageDirectory) : null;
  const enforced = enforcementOf(deps.host, cgroups);
  return {
    group,
    imageDirectory,
    cgroups,
    disks,
    shelf: makeDiskShelf(),
    identities: makeIdentityPool(deps.host),
    enforced,
  };
}

export interface Prepared {
  readonly workshop: Workshop;
  readonly leftovers: Leftovers;
}

/** Removes what a killed run left and writes what all instances share. When it throws, nothing of it is left. */
export async function prepareWorkshop(deps: LocalComputeDeps, parts: Parts): Promise<Prepared> {
  try {
    return await prepare(deps, parts);
  } catch (error) {
    await removeWorkshop(deps);
    throw error;
  }
}

/** Removes what instances shared; none may be left. */
export async function removeWorkshop(deps: LocalComputeDeps): Promise<void> {
  if (deps.host.root) await unmountAllBelow(runCommand, deps.runDir);
  await removeRunDir(deps.runDir);
}

async function prepare(deps: LocalComputeDeps, parts: Parts): Promise<Prepared> {
  const { cgroups, disks, imageDirectory } = parts;
  const marker = `${parts.group}-`;
  await mkdir(deps.dataDir, { recursive: true, mode: 0o700 });
  const shared = { run: runCommand, marker, cgroups, disks };
  const leftovers = await cleanLeftovers({ ...shared, root: deps.host.root, runDir: deps.runDir, imageDirectory });
  const layout = makeRunDir(deps.runDir);
  const exposed = makeExposedSources(runCommand, deps.host.root, layout.exposed);
  const toolBinds: Bind[] = [{ source: await exposed.expose(deps.nodeBinary), target: "/opt/bulkhead/bin/node" }];
  if (deps.esbuildBinary !== null) {
    toolBinds.push({ source: await exposed.expose(deps.esbuildBinary), target: "/opt/bulkhead/bin/esbuild" });
  }
  if (deps.ptyBinding !== null) {
    toolBinds.push({ source: await exposed.expose(deps.ptyBinding), target: "/opt/bulkhead/lib/pty.node" });
  }
  await writeOpt(layout.opt, deps);
  await writeEtc(layout.etc, deps);
  const workshop: Workshop = {
    ...{ deps, layout, toolBinds, ...shared },
    systemLinks: readSystemLinks(),
    identities: parts.identities,
    shelf: parts.shelf,
    expose: (source) => exposed.expose(source),
  };
  return { workshop, leftovers };
}
