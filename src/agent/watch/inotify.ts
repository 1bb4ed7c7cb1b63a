import { type FSWatcher, watch } from "node:fs";
import { BulkheadError } from "#contracts/errors.ts";
import { type Held, itself } from "../files/confinement.ts";
import { errnoOf, fileError } from "../files/errors.ts";

/** The directory itself, in place of a name in it. */
export const self = ".";

export interface Listener {
  /** `name` keeps each byte (latin1); {@link self} when the directory itself was moved or removed. */
  onEvent(kind: "change" | "rename", name: string): void;
  /** So many events came at once that the rest of the agent got no turn: stop listening now. */
  onStorm(): void;
}

export interface Inotify {
  /**
   * Tells of names in this one directory. Independent of its path afterwards.
   * @returns stops it
   * @throws BulkheadError RESOURCE_LIMIT_ERROR when the kernel has no watches left
   */
  add(directory: Held, listener: Listener): () => void;
}

/** Events in one turn of the event loop. libuv hands them on for as long as there are any, and nothing else has its turn meanwhile. */
const stormSize = 20_000;

function explain(error: unknown, path: string): BulkheadError {
  const errno = errnoOf(error);
  if (errno !== "ENOSPC" && errno !== "EMFILE" && errno !== "ENFILE") return fileError(error, path);
  return new BulkheadError(
    "RESOURCE_LIMIT_ERROR",
    `The limit of watches that the host's kernel allows is reached at ${path}. Watch a smaller directory.`,
    { details: { path, errno }, cause: error },
  );
}

/** One for all watches of an agent: the kernel's queue is one, too. */
export function makeInotify(limit = stormSize): Inotify {
  const listeners = new Set<Listener>();
  let inTurn = 0;

  function count(): void {
    if (inTurn === 0) setImmediate(() => (inTurn = 0));
    inTurn += 1;
    if (inTurn === limit) for (const listener of [...listeners]) listener.onStorm();
  }

  return {
    add(directory, listener) {
      let watcher: FSWatcher;
      try {
        // With "/." no name in the directory is mistaken for the directory, which is told of by the last part of this path.
        watcher = watch(`${itself(directory)}/${self}`, { encoding: "buffer" }, (kind, name) => {
          count();
          if (listeners.has(listener)) listener.onEvent(kind, name === null ? self : name.toString("latin1"));
        });
      } catch (error) {
        throw explain(error, directory.path);
      }
      watcher.on("error", () => {});
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        watcher.close();
      };
    },
  };
}
