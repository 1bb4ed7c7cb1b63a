import { createHash } from "node:crypto";
import { accessSync, chmodSync, constants, lstatSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Short name of a data directory; names its cgroups, processes and run directory. */
export function groupName(dataDir: string): string {
  return `bulkhead-${createHash("sha256").update(dataDir).digest("hex").slice(0, 10)}`;
}

/** Longest path a Unix socket can have, and what stands behind the run directory in the longest one of ours. */
const longestSocketPath = 107;
const longestSuffix = "/i/i0123456789abcdef/egress.sock".length;

/**
 * Where sockets, mount points and generated files of running sandboxes live. As root outside of the data directory (0700),
 * which the sandboxes' host uids cannot enter.
 */
export function chooseRunDir(facts: {
  readonly root: boolean;
  readonly uid: number;
  readonly dataDir: string;
  readonly xdgRuntimeDir?: string | undefined;
}): string {
  const group = groupName(facts.dataDir);
  if (facts.root) return `/run/bulkhead/${group.slice("bulkhead-".length)}`;
  if (facts.xdgRuntimeDir !== undefined && isOwn(facts.xdgRuntimeDir, facts.uid))
    return `${facts.xdgRuntimeDir}/${group}`;
  const inside = `${facts.dataDir}/run`;
  return inside.length + longestSuffix <= longestSocketPath ? inside : `/tmp/${group}-${facts.uid}`;
}

function isOwn(path: string, uid: number): boolean {
  try {
    const stat = lstatSync(path);
    accessSync(path, constants.W_OK);
    return stat.isDirectory() && stat.uid === uid;
  } catch {
    return false;
  }
}

/** The run directory's parts. */
export interface RunLayout {
  readonly root: string;
  /** Generated /etc and /opt/bulkhead. */
  readonly etc: string;
  readonly opt: string;
  /** Agents' sockets; only the platform may enter. */
  readonly sockets: string;
  /** One directory per instance. */
  readonly instances: string;
  /** Bind mounts of sources that a sandbox's host uid could not reach at their own path. */
  readonly exposed: string;
}

/** @throws Error when the directory is someone else's, or too long a path for a socket */
export function makeRunDir(root: string): RunLayout {
  if (root.length + longestSuffix > longestSocketPath) {
    throw new Error(`${root} is too long for Unix sockets. Choose a shorter data directory (BULKHEAD_HOME).`);
  }
  mkdirSync(dirname(root), { recursive: true, mode: 0o755 });
  mkdirSync(root, { recursive: true, mode: 0o711 });
  const stat = lstatSync(root);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) {
    throw new Error(`${root} belongs to another user. Remove it, or choose another data directory (BULKHEAD_HOME).`);
  }
  const layout = {
    root,
    etc: `${root}/etc`,
    opt: `${root}/opt`,
    sockets: `${root}/s`,
    instances: `${root}/i`,
    exposed: `${root}/x`,
  };
  chmodSync(root, 0o711);
  for (const [path, mode] of [
    [layout.sockets, 0o700],
    [layout.instances, 0o711],
    [layout.exposed, 0o711],
  ] as const) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, mode);
  }
  return layout;
}

/** Whether every user of the host can reach and read `path`. */
export function isReachableByAll(path: string): boolean {
  const target = statSync(path);
  if ((target.mode & 0o004) === 0 || (target.isDirectory() && (target.mode & 0o001) === 0)) return false;
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    if ((statSync(parent).mode & 0o001) === 0) return false;
    if (parent === "/") return true;
  }
}
