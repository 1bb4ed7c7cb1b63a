import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { bwrapArgs, readSystemLinks } from "../compute/bwrap-args.ts";
import { makeDisks } from "../compute/disks.ts";
import { makeIdentityPool } from "../compute/identity.ts";
import { startJail } from "../compute/jail.ts";
import { logLines } from "../compute/log-lines.ts";
import type { RunCommand } from "../compute/run-command.ts";
import type { HostFacts } from "./facts.ts";

const mib = 2 ** 20;

/**
 * Runs a real sandbox of the tier `facts.identityTiers[0]`, with all its mounts and the filter, that does nothing.
 * @returns what went wrong, or null
 */
export async function trySandbox(run: RunCommand, facts: HostFacts): Promise<string | null> {
  if (facts.bubblewrap === null) return "bubblewrap is missing";
  const directory = mkdtempSync("/tmp/bulkhead-probe-");
  try {
    chmodSync(directory, 0o711);
    const empty = `${directory}/empty`;
    mkdirSync(empty);
    chmodSync(empty, 0o755);
    const identity = makeIdentityPool(facts).take();
    const jail = await startJail({
      identity,
      bubblewrap: facts.bubblewrap.path,
      options: bwrapArgs({
        identity,
        canDisableUserns: facts.bubblewrap.disableUserns,
        systemLinks: readSystemLinks(),
        etc: empty,
        opt: empty,
        binds: [],
        workspace: { tmpfsBytes: mib },
        tmpBytes: mib,
        shmBytes: mib,
        environment: { PATH: "/usr/bin:/bin" },
      }),
      command: ["/usr/bin/env", "true"],
      marker: "bulkhead-probe",
      wrapper: [],
      listenFd: null,
      seccompFilter: facts.seccompFilter,
      argsFile: `${directory}/args`,
      beforeRelease: () => Promise.resolve(),
      run,
    });
    const lines: string[] = [];
    logLines(jail.stderr, (line) => lines.push(line));
    const { code, signal } = await jail.exited;
    return code === 0 ? null : `${lines.join(" ") || "no message"} (${signal ?? code ?? "not started"})`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Formats, mounts and removes a small disk. @returns what went wrong, or null */
export async function tryDiskImage(run: RunCommand): Promise<string | null> {
  const directory = mkdtempSync("/tmp/bulkhead-probe-");
  const disks = makeDisks(run, directory);
  const mountPoint = `${directory}/mnt`;
  try {
    await disks.create("probe", 16, mountPoint, { uid: 0, gid: 0 });
    return null;
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  } finally {
    await disks.remove("probe", mountPoint).catch(() => {});
    rmSync(directory, { recursive: true, force: true });
  }
}
