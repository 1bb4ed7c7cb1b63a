import { lstatSync, readlinkSync } from "node:fs";
import type { Identity } from "./identity.ts";
import { insideUserId } from "./identity.ts";

/** One mount of the sandbox's read-only base. */
export interface Bind {
  readonly source: string;
  readonly target: string;
}

export interface SandboxView {
  readonly identity: Identity;
  /** `--disable-userns` exists since bubblewrap 0.8. */
  readonly canDisableUserns: boolean;
  /** Host's top-level entries beside /usr, see {@link readSystemLinks}. */
  readonly systemLinks: readonly SystemLink[];
  readonly etc: string;
  readonly opt: string;
  /** Read-only, after the base: node, esbuild, template parts, the egress socket. */
  readonly binds: readonly Bind[];
  /** The disk, or its size when it is a tmpfs. */
  readonly workspace: { readonly mounted: string } | { readonly tmpfsBytes: number };
  readonly tmpBytes: number;
  readonly shmBytes: number;
  readonly environment: Readonly<Record<string, string>>;
}

export type SystemLink =
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | { readonly kind: "directory"; readonly path: string };

/** How this host has /bin and its kin: links into /usr, or directories. */
export function readSystemLinks(): readonly SystemLink[] {
  const found: SystemLink[] = [];
  for (const path of ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]) {
    try {
      found.push(
        lstatSync(path).isSymbolicLink()
          ? { kind: "link", path, target: readlinkSync(path) }
          : { kind: "directory", path },
      );
    } catch {
      // This architecture has no such directory.
    }
  }
  return found;
}

/**
 * What the agent keeps as root of its own user namespace: running user code as another uid, ending it, and handling its files.
 * CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_SYS_PTRACE are not among them.
 */
const agentCapabilities = ["CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"];

function identityArgs(view: SandboxView): string[] {
  if (view.identity.tier === "two-uid") {
    return ["--cap-drop", "ALL", ...agentCapabilities.flatMap((name) => ["--cap-add", name])];
  }
  return [
    ...["--unshare-user", "--uid", String(insideUserId), "--gid", String(insideUserId), "--cap-drop", "ALL"],
    ...(view.canDisableUserns ? ["--disable-userns"] : []),
  ];
}

function tmpfs(path: string, bytes: number, mode: string): string[] {
  return ["--perms", mode, "--size", String(bytes), "--tmpfs", path];
}

const baseMounts = ["/usr", "/etc", "/opt/bulkhead", "/run/bulkhead"];

/** `--dir` for the directories above bind targets that no mount of the base provides. */
function openParents(binds: readonly Bind[]): string[] {
  const parents = new Set<string>();
  for (const { target } of binds) {
    if (baseMounts.some((mount) => target.startsWith(`${mount}/`))) continue;
    const parts = target.split("/").slice(1, -1);
    for (const index of parts.keys()) parents.add(`/${parts.slice(0, index + 1).join("/")}`);
  }
  return [...parents].flatMap((path) => ["--dir", path]);
}

/** Options for bubblewrap; without the command and without file descriptors. Order matters: later mounts lie on earlier ones. */
export function bwrapArgs(view: SandboxView): readonly string[] {
  const links = view.systemLinks.flatMap((link) =>
    link.kind === "link" ? ["--symlink", link.target, link.path] : ["--ro-bind", link.path, link.path],
  );
  return [
    ...identityArgs(view),
    ...["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
    ...["--die-with-parent", "--new-session", "--hostname", "sandbox"],
    ...["--ro-bind", "/usr", "/usr"],
    ...links,
    ...["--ro-bind", view.etc, "/etc"],
    ...["--proc", "/proc", "--dev", "/dev"],
    ...tmpfs("/dev/shm", view.shmBytes, "1777"),
    ...["--remount-ro", "/dev"],
    ...tmpfs("/tmp", view.tmpBytes, "1777"),
    ...["--dir", "/var", "--symlink", "../tmp", "/var/tmp", "--dir", "/home", "--symlink", "/workspace", "/home/user"],
    ...("mounted" in view.workspace
      ? ["--bind", view.workspace.mounted, "/workspace"]
      : tmpfs("/workspace", view.workspace.tmpfsBytes, view.identity.tier === "two-uid" ? "0777" : "0755")),
    // Parents that bubblewrap makes by itself are closed to user code; that of the egress socket stays so.
    ...["--dir", "/opt", "--dir", "/run", "--perms", "0700", "--dir", "/run/bulkhead"],
    // Where the agent lays the decoy.
    ...tmpfs("/run/secrets", 65_536, "0755"),
    ...["--ro-bind", view.opt, "/opt/bulkhead"],
    ...openParents(view.binds),
    ...view.binds.flatMap(({ source, target }) => ["--ro-bind", source, target]),
    ...["--remount-ro", "/", "--chdir", "/workspace", "--clearenv"],
    ...Object.entries(view.environment).flatMap(([name, value]) => ["--setenv", name, value]),
  ];
}
