import type { RunCommand } from "../compute/run-command.ts";
import type { HostFacts, Problem } from "./facts.ts";

const places = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];

export async function findBubblewrap(run: RunCommand): Promise<HostFacts["bubblewrap"]> {
  for (const path of places) {
    const { code, stdout } = await run(path, ["--version"]);
    const version = /(\d+)\.(\d+)[.\d]*/.exec(stdout);
    if (code !== 0 || version === null) continue;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    return { path, version: version[0], disableUserns: major > 0 || minor >= 8 };
  }
  return null;
}

/** Oldest one with --perms and --size. */
export function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major === 0 && minor < 5;
}

/** The command that installs packages here, from the text of /etc/os-release. */
export function installCommand(osRelease: string, packages: readonly string[]): string {
  const ids = ["ID", "ID_LIKE"].map((name) => new RegExp(`^${name}=(.*)$`, "m").exec(osRelease)?.[1] ?? "").join(" ");
  const list = packages.join(" ");
  if (/debian|ubuntu/.test(ids)) return `sudo apt-get install -y ${list}`;
  if (/fedora|rhel|centos|amzn/.test(ids)) return `sudo dnf install -y ${list}`;
  if (/arch/.test(ids)) return `sudo pacman -S ${list}`;
  if (/suse/.test(ids)) return `sudo zypper install -y ${list}`;
  if (/alpine/.test(ids)) return `sudo apk add ${list}`;
  return `install the packages ${list} with your distribution's package manager`;
}

export interface EnsureBubblewrap {
  readonly run: RunCommand;
  readonly root: boolean;
  readonly osRelease: string;
  readonly allowInstall: boolean;
  readonly onProgress: (message: string) => void;
}

/** Finds bubblewrap, or installs it where that needs no question (root on Debian or Ubuntu). @returns what is left to do */
export async function ensureBubblewrap(options: EnsureBubblewrap): Promise<Problem | null> {
  const { run, root, osRelease, allowInstall, onProgress } = options;
  if ((await findBubblewrap(run)) !== null) return null;
  const fix = installCommand(osRelease, ["bubblewrap"]);
  const missing: Problem = { what: "bubblewrap (bwrap), which isolates sandboxes, is not installed.", fix };
  if (!root || !allowInstall || !fix.includes("apt-get")) return missing;
  const environment = { DEBIAN_FRONTEND: "noninteractive" };
  onProgress("Installing bubblewrap with apt-get (once) ...");
  const install = ["install", "-y", "--no-install-recommends", "bubblewrap"];
  let result = await run("apt-get", install, { timeoutMs: 300_000, environment });
  if (result.code !== 0) {
    onProgress("Refreshing apt's package lists ...");
    await run("apt-get", ["update"], { timeoutMs: 300_000, environment });
    result = await run("apt-get", install, { timeoutMs: 300_000, environment });
  }
  if ((await findBubblewrap(run)) !== null) {
    onProgress("bubblewrap is installed.");
    return null;
  }
  const last = result.stderr.trim().split("\n").at(-1) ?? "";
  return { what: `bubblewrap could not be installed: ${last}`, fix };
}
