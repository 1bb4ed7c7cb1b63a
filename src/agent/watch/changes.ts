import type { WatchChange } from "#contracts/agent/watch.ts";

/** Which file a name stands for: inode numbers are given out again at once, birth times are not. */
export interface Identity {
  readonly inode: number;
  readonly bornMs: number;
  readonly directory: boolean;
}

/** A name that came and went before anybody could look. */
const unseen: Identity = { inode: -1, bornMs: -1, directory: false };

/** A watched directory: what stood in it when last looked. Names keep each byte (latin1). */
export interface Watched {
  /** As asked for. */
  readonly path: string;
  readonly names: Map<string, Identity>;
}

/** As Node.js tells it: a change of content or attributes, or that a name came or went. */
export interface RawEvent<D extends Watched> {
  readonly directory: D;
  readonly kind: "change" | "rename";
  readonly name: string;
}

export interface Change<D extends Watched> {
  readonly directory: D;
  readonly name: string;
  readonly event: WatchChange["event"];
  /** What came, or what went. */
  readonly identity: Identity;
  /** With `renamed`. */
  readonly to?: { readonly directory: D; readonly name: string };
}

export function same(a: Identity | undefined, b: Identity | undefined): boolean {
  return a !== undefined && a.inode === b?.inode && a.bornMs === b.bornMs;
}

/** A rename tells of both names one after the other; events of other directories may stand between. */
const renameReach = 4;

/**
 * Says what raw events mean, in their order, and brings the directories' names up to date.
 * @param look what stands at a name now; asked any number of times
 */
export function readChanges<D extends Watched>(
  events: readonly RawEvent<D>[],
  look: (directory: D, name: string) => Identity | undefined,
): Change<D>[] {
  /** Where a file that left its name is now. */
  function findAgain(identity: Identity, after: number): RawEvent<D> | undefined {
    return events
      .slice(after + 1, after + 1 + renameReach)
      .find((event) => event.kind === "rename" && same(identity, look(event.directory, event.name)));
  }

  function left(event: RawEvent<D>, before: Identity, index: number): Change<D> {
    const { directory, name } = event;
    const to = findAgain(before, index);
    if (to === undefined) return { directory, name, event: "deleted", identity: before };
    return { directory, name, event: "renamed", identity: before, to: { directory: to.directory, name: to.name } };
  }

  /** Another file at a name that was known: moved over it, or made anew after it was removed. */
  function replaced(event: RawEvent<D>, before: Identity, now: Identity, moved: boolean): Change<D>[] {
    const { directory, name } = event;
    if (moved) return [{ directory, name, event: "modified", identity: now }];
    return [
      { directory, name, event: "deleted", identity: before },
      { directory, name, event: "created", identity: now },
    ];
  }

  /** Files that a rename has brought where they are. */
  const moved: Identity[] = [];
  return events.flatMap((event, index): Change<D>[] => {
    const { directory, kind, name } = event;
    const before = directory.names.get(name);
    if (kind === "change") {
      // Of a file that has no name any more, or whose creation is told next.
      if (before === undefined) return [];
      return [{ directory, name, event: "modified", identity: before }];
    }
    const now = look(directory, name);
    if (now === undefined && before !== undefined) {
      directory.names.delete(name);
      const change = left(event, before, index);
      if (change.to !== undefined) moved.push(before);
      return [change];
    }
    directory.names.set(name, now ?? unseen);
    if (before === undefined) return [{ directory, name, event: "created", identity: now ?? unseen }];
    if (now === undefined || same(before, now)) return [];
    return replaced(
      event,
      before,
      now,
      moved.some((identity) => same(identity, now)),
    );
  });
}
