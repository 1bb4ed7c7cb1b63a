import type { WatchChange } from "#contracts/agent/watch.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Confinement } from "../files/confinement.ts";
import { noSuchDirectory } from "../files/errors.ts";
import type { Budget } from "./budget.ts";
import type { Change, RawEvent } from "./changes.ts";
import { makeDirectories, type Opened } from "./directories.ts";
import { type Directory, standsStill } from "./directory.ts";
import { adopt, pathOf, readTree } from "./growth.ts";
import { type Inotify, self } from "./inotify.ts";

export interface TreeOptions {
  /** As asked for, absolute. */
  readonly path: string;
  readonly confinement: Confinement;
  readonly inotify: Inotify;
  readonly budget: Budget;
  readonly onChange: (event: WatchChange["event"], path: string, newPath?: string) => void;
  /** Something below is not watched, or was missed; the rest goes on. */
  readonly onError: (error: unknown) => void;
  /** The tree is not watched any more. */
  readonly onEnd: (error: unknown) => void;
}

/** A watched directory with all directories below it. */
export interface Tree {
  readonly path: string;
  close(): void;
}

/** Events of one tree that wait while new directories are read. */
const maxPending = 20_000;
/** After a storm of events. */
const restMs = 250;

function missed(path: string): BulkheadError {
  return new BulkheadError(
    "RESOURCE_LIMIT_ERROR",
    `So much changed at once below ${path} that events were dropped: the limit is ${maxPending}. List it to see how it is.`,
    { details: { path, overflow: true } },
  );
}

/** @throws BulkheadError for a root that cannot be watched */
export function watchTree(options: TreeOptions): Tree {
  const { path: root, onChange, onError } = options;
  const directories = makeDirectories({
    ...options,
    listener: (directory) => ({ onEvent: (kind, name) => onEvent({ directory, kind, name }), onStorm }),
  });
  const growth = { directories, onError };
  let pending: RawEvent<Directory>[] = [];
  let working = false;
  /** Raised by a storm: work that began before it gives up. */
  let generation = 0;
  let closed = false;
  let rest: NodeJS.Timeout | undefined;

  function onEvent(event: RawEvent<Directory>): void {
    if (event.name === self && (event.kind === "change" || event.directory.path !== root)) return;
    if (pending.length >= maxPending) {
      onStorm();
      return;
    }
    pending.push(event);
    if (working) return;
    working = true;
    // Everything that the kernel has told so far belongs together: both names of a rename do.
    setImmediate(() => void work());
  }

  /** Called by libuv, too, in the middle of the storm: what stops listening here is what ends it. */
  function onStorm(): void {
    directories.forgetAll();
    pending = [];
    if (closed || rest !== undefined) return;
    generation += 1;
    onError(missed(root));
    rest = setTimeout(() => {
      rest = undefined;
      try {
        begin(directories.open(root));
      } catch (error) {
        end(error);
      }
    }, restMs);
  }

  /** Runs `next` only if no storm has come between. */
  function unlessStale(): (next: () => void) => void {
    const mine = generation;
    return (next) => {
      if (!closed && mine === generation) next();
    };
  }

  function begin(opened: Opened): void {
    const ifCurrent = unlessStale();
    working = true;
    readTree(opened, growth).then(
      () => ifCurrent(() => void work()),
      (error: unknown) => ifCurrent(() => end(error)),
    );
  }

  async function apply({ directory, name, event, identity, to }: Change<Directory>): Promise<void> {
    const path = pathOf(directory, name);
    onChange(event, path, to === undefined ? undefined : pathOf(to.directory, to.name));
    if (!identity.directory) return;
    directories.forget(path);
    if (event === "deleted" || event === "renamed") return;
    await adopt(path, identity, { ...growth, onFound: (found) => onChange("created", found) });
  }

  async function applyAll(events: readonly RawEvent<Directory>[], isStale: () => boolean): Promise<void> {
    for (const change of directories.changes(events.filter((event) => event.name !== self))) {
      await apply(change);
      if (isStale()) return;
    }
    if (events.some((event) => event.name === self)) checkRoot();
  }

  async function work(): Promise<void> {
    const mine = generation;
    const isStale = () => closed || mine !== generation;
    try {
      while (pending.length > 0 && !isStale()) {
        const events = pending.filter((event) => directories.isCurrent(event.directory));
        pending = [];
        await applyAll(events, isStale);
      }
    } catch (error) {
      if (!isStale()) end(error);
    } finally {
      if (mine === generation) working = false;
    }
  }

  function checkRoot(): void {
    const directory = directories.at(root);
    if (directory === undefined || standsStill(options.confinement, directory)) return;
    onChange("deleted", root);
    end(noSuchDirectory(root));
  }

  function close(): void {
    closed = true;
    clearTimeout(rest);
    directories.forgetAll();
    pending = [];
  }

  function end(error: unknown): void {
    if (closed) return;
    close();
    options.onEnd(error);
  }

  begin(directories.open(root));
  return { path: root, close };
}
