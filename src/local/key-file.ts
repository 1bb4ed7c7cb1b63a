import { linkSync, lstatSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * The content of a file that holds a key, which is made on first use with mode 0600.
 * @throws Error for a file that others may read, or that is none
 */
export function readKeyFile(path: string, make: () => string | Uint8Array): Buffer {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) createKeyFile(path, make());
  const stat = lstatSync(path);
  if (!stat.isFile() || (stat.mode & 0o077) !== 0) {
    throw new Error(`${path} must be a file that only its owner can read. Run: chmod 600 ${path}`);
  }
  return readFileSync(path);
}

/** Writes a new key under a name of its own first, so that a crash or a second process never leaves half of one. */
function createKeyFile(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, content, { mode: 0o600, flag: "wx" });
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    unlinkSync(draft);
  }
}
