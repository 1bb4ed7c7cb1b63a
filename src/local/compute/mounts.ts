import { readFileSync } from "node:fs";
import type { RunCommand } from "./run-command.ts";

/** mountinfo writes space, tab, newline and backslash as octal. */
function unescapeMountPath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Mount points below `directory` in the text of /proc/self/mountinfo, innermost and newest first. */
export function mountPointsBelow(mountinfo: string, directory: string): readonly string[] {
  return mountinfo
    .split("\n")
    .map((line) => line.split(" ")[4])
    .filter((field) => field !== undefined)
    .map(unescapeMountPath)
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
}

export function readMountPointsBelow(directory: string): readonly string[] {
  return mountPointsBelow(readFileSync("/proc/self/mountinfo", "utf8"), directory);
}

/**
 * Unmounts; when something still holds the mount it is detached, so that it goes with its last user.
 * @returns what went wrong, or null
 */
export async function unmount(run: RunCommand, path: string): Promise<string | null> {
  const plain = await run("umount", ["--no-canonicalize", path]);
  if (plain.code === 0 || /not mounted|no mount point/.test(plain.stderr)) return null;
  const lazy = await run("umount", ["--no-canonicalize", "--lazy", path]);
  return lazy.code === 0 || /not mounted|no mount point/.test(lazy.stderr) ? null : lazy.stderr.trim();
}

export async function unmountAllBelow(run: RunCommand, directory: string): Promise<number> {
  const paths = readMountPointsBelow(directory);
  for (const path of paths) await unmount(run, path);
  return paths.length;
}
