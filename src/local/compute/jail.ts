import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import type { Identity } from "./identity.ts";
import { insideAgentId, insideUserId } from "./identity.ts";
import type { RunCommand } from "./run-command.ts";

/** Number of the listening socket inside. */
export const listenFd = 5;
const argsFd = 6;
const seccompFd = 7;

export interface JailRequest {
  readonly identity: Identity;
  readonly bubblewrap: string;
  /** Options from {@link bwrapArgs}. */
  readonly options: readonly string[];
  readonly command: readonly string[];
  /** Stands in the process's command line, to find it again after a crash of the platform. Visible inside. */
  readonly marker: string;
  /** Prefix such as prlimit(1) with its options. */
  readonly wrapper: readonly string[];
  readonly listenFd: number | null;
  readonly seccompFilter: string | null;
  /** A path of our own for the options; exists for a moment. */
  readonly argsFile: string;
  /** Runs while the process waits, before anything of the sandbox exists: the place to join cgroups. */
  readonly beforeRelease: (pid: number) => Promise<void>;
  readonly run: RunCommand;
}

export interface JailExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Jail {
  /** Bubblewrap's monitor. It ends after everything inside has ended. */
  readonly pid: number;
  readonly stderr: Readable;
  readonly exited: Promise<JailExit>;
  /** Whether `exited` has happened; after that the pid may be another process's. */
  ended(): boolean;
}

/** Only bash can name descriptors of two digits. */
const shell = "/bin/bash";

/**
 * Closes whatever else the platform has open: native code in it (LevelDB) and whoever started it open files without close-on-exec, at any
 * time. The shell looks at itself just before it becomes bubblewrap; a descriptor list it cannot read ends it.
 */
const closeForeign = (last: number): string =>
  `[ -e /proc/self/fd/3 ] || exit 126
for fd in /proc/self/fd/*; do fd=\${fd##*/}; if [ "$fd" -gt ${last} ]; then eval "exec $fd>&-"; fi; done`;

/**
 * Waits to be released and becomes bubblewrap. End of file on 3 (the platform died) ends it. By the limit of 0, which counts in
 * the user namespace just made, nothing inside can make another one; the write is refused in containers with a read-only
 * /proc/sys, there the seccomp filter alone holds it.
 */
const waitScript = (lastFd: number): string =>
  [
    "printf r >&4",
    "read -r _ <&3 || exit 125",
    closeForeign(lastFd),
    "exec 3<&- 4>&-",
    "ulimit -c 0",
    '{ [ "$BULKHEAD_OWN_USERNS" = 1 ] && echo 0 >/proc/sys/user/max_user_namespaces; } 2>/dev/null',
    "unset BULKHEAD_OWN_USERNS",
    'exec "$@"',
  ].join("\n");

function isReadable(stream: Readable | Writable | null | undefined): stream is Readable {
  return stream !== null && stream !== undefined && "read" in stream;
}

function isWritable(stream: Readable | Writable | null | undefined): stream is Writable {
  return stream !== null && stream !== undefined && "write" in stream;
}

async function writeIdMaps(identity: Identity, pid: number, run: RunCommand): Promise<void> {
  if (identity.tier === "one-uid") return;
  const map = (own: number, user: number): string[] => [
    ...[String(insideAgentId), String(own), "1"],
    ...[String(insideUserId), String(user), "1"],
  ];
  if (identity.byRoot) {
    const lines = (words: string[]): string => `${words.slice(0, 3).join(" ")}\n${words.slice(3).join(" ")}\n`;
    await Promise.all([
      writeFile(`/proc/${pid}/uid_map`, lines(map(identity.agentId, identity.userId))),
      writeFile(`/proc/${pid}/gid_map`, lines(map(identity.agentId, identity.userGid))),
    ]);
    return;
  }
  const tools = [
    run("newuidmap", [String(pid), ...map(identity.agentId, identity.userId)]),
    run("newgidmap", [String(pid), ...map(process.getgid?.() ?? identity.agentId, identity.userGid)]),
  ];
  for (const { code, stderr } of await Promise.all(tools)) {
    if (code !== 0) throw new Error(`newuidmap: ${stderr.trim()}`);
  }
}

function spawnWaiting(request: JailRequest, fds: { args: number; seccomp: number | null }): ChildProcess {
  const { identity } = request;
  const filter = fds.seccomp === null ? [] : ["--seccomp", String(seccompFd)];
  const dropsLate = identity.tier === "two-uid" && identity.dropsLate;
  // Bubblewrap itself must never run as the host's root, whose id is in no map: this gives it up for good before.
  const drop = dropsLate ? ["/usr/bin/setpriv", "--reuid", "0", "--regid", "0", "--clear-groups", "--"] : [];
  const bwrap = [
    ...drop,
    request.bubblewrap,
    ...filter,
    "--args",
    String(argsFd),
    "--setenv",
    "BULKHEAD_RUN",
    request.marker,
  ];
  const waiting = [
    shell,
    "-c",
    waitScript(fds.seccomp === null ? argsFd : seccompFd),
    request.marker,
    ...request.wrapper,
    ...bwrap,
    "--",
    ...request.command,
  ];
  const own = identity.tier === "two-uid";
  const argv = own ? ["/usr/bin/unshare", "--user", "--keep-caps", "--", ...waiting] : waiting;
  const stdio: StdioOptions = ["ignore", "ignore", "pipe", "pipe", "pipe", request.listenFd ?? "ignore", fds.args];
  if (fds.seccomp !== null) stdio.push(fds.seccomp);
  return spawn(argv[0] ?? "", argv.slice(1), {
    cwd: "/",
    env: own ? { BULKHEAD_OWN_USERNS: "1" } : {},
    stdio,
    ...(identity.tier === "two-uid" && identity.byRoot && !dropsLate
      ? { uid: identity.agentId, gid: identity.agentId }
      : {}),
  });
}

function openFds(request: JailRequest): { args: number; seccomp: number | null } {
  writeFileSync(request.argsFile, request.options.map((option) => `${option}\0`).join(""), { mode: 0o600 });
  const args = openSync(request.argsFile, "r");
  unlinkSync(request.argsFile);
  // Opened for each sandbox: the offset is shared by all who inherit one open file.
  return { args, seccomp: request.seccompFilter === null ? null : openSync(request.seccompFilter, "r") };
}

/** Starts bubblewrap under the identity. @throws Error when it ended or failed before its release; then it is gone */
export async function startJail(request: JailRequest): Promise<Jail> {
  const fds = openFds(request);
  const child = spawnWaiting(request, fds);
  closeSync(fds.args);
  if (fds.seccomp !== null) closeSync(fds.seccomp);
  let hasEnded = false;
  const exited = new Promise<JailExit>((resolve) => {
    const end = (exit: JailExit): void => {
      hasEnded = true;
      resolve(exit);
    };
    child.once("exit", (code, signal) => end({ code, signal }));
    child.once("error", () => end({ code: null, signal: null }));
  });
  const [, , stderr, release, ready] = child.stdio;
  if (child.pid === undefined || !isReadable(stderr) || !isWritable(release) || !isReadable(ready)) {
    throw new Error(`cannot start ${shell} or /usr/bin/unshare`);
  }
  // EPIPE, when the process died first, shows as its exit.
  release.on("error", () => {});
  ready.on("error", () => {});
  const early: Promise<never> = exited.then(({ code }) => {
    throw new Error(
      `sandbox process ended before its start (${code ?? "killed"}): ${String(stderr.read() ?? "").trim()}`,
    );
  });
  early.catch(() => {});
  try {
    await Promise.race([once(ready, "data"), early]);
    await Promise.race([
      Promise.all([writeIdMaps(request.identity, child.pid, request.run), request.beforeRelease(child.pid)]),
      early,
    ]);
    release.end("go\n");
    ready.destroy();
  } catch (error) {
    child.kill("SIGKILL");
    release.destroy();
    await exited;
    throw error;
  }
  return { pid: child.pid, stderr, exited, ended: () => hasEnded };
}
