import { randomBytes } from "node:crypto";
import { mkdirSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { BulkheadError } from "#contracts/errors.ts";
import type { RunCommand } from "./run-command.ts";
import { isReachableByAll } from "./run-dir.ts";

/** Finds for a file or directory of the host a path at which a sandbox's unprivileged host uid can bind it. */
export interface ExposedSources {
  /** @throws BulkheadError SERVICE_UNAVAILABLE when it does not exist or cannot be bound */
  expose(source: string): Promise<string>;
}

/** As root, sources below a private directory (/root, the data directory) are bind-mounted once into `directory`. */
export function makeExposedSources(run: RunCommand, root: boolean, directory: string): ExposedSources {
  const known = new Map<string, Promise<string>>();

  async function bind(source: string): Promise<string> {
    const target = `${directory}/${randomBytes(12).toString("hex")}`;
    if (statSync(source).isDirectory()) mkdirSync(target, { recursive: true });
    else writeFileSync(target, "");
    const { code, stderr } = await run("mount", ["-o", "bind,ro", source, target]);
    if (code !== 0) throw new Error(`cannot bind ${source}: ${stderr.trim()}`);
    return target;
  }

  async function find(source: string): Promise<string> {
    try {
      const path = realpathSync(source);
      return !root || isReachableByAll(path) ? path : await bind(path);
    } catch (cause) {
      throw new BulkheadError(
        "SERVICE_UNAVAILABLE",
        "A part of this template is missing on the host. Restart the platform to prepare it again.",
        { cause },
      );
    }
  }

  return {
    expose(source) {
      const found = known.get(source) ?? find(source);
      known.set(source, found);
      found.catch(() => known.delete(source));
      return found;
    },
  };
}
