import { existsSync, readFileSync } from "node:fs";
import { runCommand } from "../compute/run-command.ts";
import { groupName } from "../compute/run-dir.ts";
import { findBubblewrap } from "./bubblewrap.ts";
import { probeCgroups } from "./cgroup-probe.ts";
import type { ProbeActions } from "./probe.ts";
import { tryDiskImage, trySandbox } from "./trial.ts";

const filterNames: Readonly<Record<string, string>> = { x64: "x86_64.bpf", arm64: "aarch64.bpf" };

/** The filter for this architecture in `directory` (src/local/seccomp or its copy beside the bundle). */
export function seccompFilterIn(directory: string, arch: string): string | null {
  const name = filterNames[arch];
  return name !== undefined && existsSync(`${directory}/${name}`) ? `${directory}/${name}` : null;
}

/** The probe's actions on the machine we run on. `dataDir` names its cgroups, so that two platforms can probe at once. */
export function hostActions(options: { readonly dataDir: string; readonly seccompDirectory: string }): ProbeActions {
  const uid = process.getuid?.() ?? -1;
  return {
    uid,
    gid: process.getgid?.() ?? -1,
    readText(path) {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return null;
      }
    },
    hasBash: existsSync("/bin/bash"),
    findBubblewrap: () => findBubblewrap(runCommand),
    trySandbox: (facts) => trySandbox(runCommand, facts),
    tryDiskImage: () => tryDiskImage(runCommand),
    probeCgroups: () => probeCgroups(uid === 0, groupName(options.dataDir)),
    seccompFilter: seccompFilterIn(options.seccompDirectory, process.arch),
  };
}
