import { closeSync } from "node:fs";
import type { Confinement, Held } from "../files/confinement.ts";
import { noSuchDirectory } from "../files/errors.ts";
import type { Budget } from "./budget.ts";
import { type Change, type Identity, type RawEvent, readChanges, same } from "./changes.ts";
import { type Directory, holdAgain, holdDirectory, identityAt, readNames } from "./directory.ts";
import type { Inotify, Listener } from "./inotify.ts";

/** A directory that is listened to, held until its names are read. */
export interface Opened {
  readonly directory: Directory;
  readonly held: Held;
}

/** The directories of one tree that are listened to, and what they take of the budget. */
export interface Directories {
  at(path: string): Directory | undefined;
  /** False for one that was forgotten, perhaps while it was read. */
  isCurrent(directory: Directory): boolean;
  /**
   * @param expected what stood at the path when it was found
   * @throws BulkheadError when it is no directory (any more), or one too many
   */
  open(path: string, expected?: Identity): Opened;
  /** Fills in the names and lets go of the hold. @throws BulkheadError as {@link Directories.open} */
  read(opened: Opened): Promise<void>;
  /** @throws BulkheadError when there are too many names now */
  changes(events: readonly RawEvent<Directory>[]): Change<Directory>[];
  /** Itself and all below. */
  forget(path: string): void;
  forgetAll(): void;
}

export interface DirectoriesOptions {
  readonly confinement: Confinement;
  readonly inotify: Inotify;
  readonly budget: Budget;
  readonly listener: (directory: Directory) => Listener;
}

export function makeDirectories({ confinement, inotify, budget, listener }: DirectoriesOptions): Directories {
  const known = new Map<string, Directory>();
  const isCurrent = (directory: Directory) => known.get(directory.path) === directory;

  function drop(directory: Directory): void {
    directory.stop();
    known.delete(directory.path);
    budget.give("directories", 1);
    budget.give("names", directory.names.size);
  }

  function listen(directory: Directory, held: Held): void {
    budget.take("directories", 1);
    try {
      directory.stop = inotify.add(held, listener(directory));
    } catch (error) {
      budget.give("directories", 1);
      throw error;
    }
    known.set(directory.path, directory);
  }

  function settle(sizes: ReadonlyMap<Directory, number>): void {
    for (const [directory, size] of sizes) {
      const more = isCurrent(directory) ? directory.names.size - size : 0;
      if (more > 0) budget.take("names", more);
      else budget.give("names", -more);
    }
  }

  return {
    at: (path) => known.get(path),
    isCurrent,
    open(path, expected) {
      const { held, identity } = holdDirectory(confinement, path);
      try {
        if (expected !== undefined && !same(expected, identity)) throw noSuchDirectory(path);
        const directory = { path: held.path, real: held.real, identity, names: new Map(), stop: () => {} };
        listen(directory, held);
        return { directory, held };
      } catch (error) {
        closeSync(held.fd);
        throw error;
      }
    },
    async read({ directory, held }) {
      try {
        await readNames(held, directory.names, () => {
          if (!isCurrent(directory)) throw noSuchDirectory(directory.path);
          budget.take("names", 1);
        });
      } finally {
        closeSync(held.fd);
      }
    },
    changes(events) {
      const sizes = new Map(events.map(({ directory }) => [directory, directory.names.size]));
      const holds = new Map([...sizes.keys()].map((directory) => [directory, holdAgain(confinement, directory)]));
      try {
        return readChanges(events, (directory, name) => {
          const held = holds.get(directory);
          return held === undefined ? undefined : identityAt(held, name);
        });
      } finally {
        for (const held of holds.values()) if (held !== undefined) closeSync(held.fd);
        settle(sizes);
      }
    },
    forget(path) {
      for (const directory of known.values()) {
        if (directory.path === path || directory.path.startsWith(`${path}/`)) drop(directory);
      }
    },
    forgetAll() {
      for (const directory of known.values()) drop(directory);
    },
  };
}
