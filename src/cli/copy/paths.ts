import { posix } from "node:path";
import { CliError, exitCodes } from "../failure.ts";

/** One side of a copy. */
export type Place =
  | { readonly kind: "local"; readonly path: string }
  /** `path` is absolute in the sandbox; `intoDirectory` when it was written with a slash at its end. */
  | { readonly kind: "remote"; readonly sandboxId: string; readonly path: string; readonly intoDirectory: boolean };

export type RemotePlace = Extract<Place, { kind: "remote" }>;

/** Where relative paths of a sandbox start. */
const home = "/workspace";

/** `ID:/path` is in a sandbox, relative paths there start in /workspace. What has a slash before its colon is here: `./a:b`. */
export function parsePlace(text: string): Place {
  const match = /^([A-Za-z0-9_-]+):(.*)$/s.exec(text);
  if (match === null) return { kind: "local", path: text };
  const [, sandboxId = "", written = ""] = match;
  return {
    kind: "remote",
    sandboxId,
    path: remotePath(written),
    intoDirectory: written === "" || written.endsWith("/"),
  };
}

export function remotePath(written: string): string {
  return posix.resolve(home, written);
}

/** `LOCAL[:REMOTE]`; without REMOTE the file keeps its name, in /workspace. */
export function parseFileOption(text: string): { readonly local: string; readonly remote: string } {
  const colon = text.lastIndexOf(":");
  const local = colon === -1 ? text : text.slice(0, colon);
  const remote = colon === -1 ? posix.basename(posix.resolve("/", text)) : text.slice(colon + 1);
  if (local === "" || remote === "") {
    throw new CliError(
      `--file ${text}: say LOCAL or LOCAL:REMOTE, for example data.csv:/workspace/in.csv.`,
      exitCodes.usage,
    );
  }
  return { local, remote: remotePath(remote) };
}

/** Whether a path that came out of a sandbox stays below the directory it is put into. */
export function staysBelow(relative: string): boolean {
  return !relative.includes("\0") && relative.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
