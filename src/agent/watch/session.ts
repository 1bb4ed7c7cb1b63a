import type { WatchChange } from "#contracts/agent/watch.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "../clock.ts";
import { errorFrame } from "../error-frame.ts";
import type { Confinement } from "../files/confinement.ts";
import type { AgentSocket } from "../socket.ts";
import type { Budget } from "./budget.ts";
import type { Inotify } from "./inotify.ts";
import { makeOutbox } from "./outbox.ts";
import { parseWatchFrame } from "./parse.ts";
import { type Tree, watchTree } from "./tree.ts";

export interface WatchOptions {
  readonly confinement: Confinement;
  readonly inotify: Inotify;
  readonly budget: Budget;
  readonly clock: AgentClock;
}

function overflow(count: number): BulkheadError {
  return new BulkheadError(
    "RESOURCE_LIMIT_ERROR",
    `${count} events were dropped: more than the limit were waiting for the caller to read them. List the directory to see how it is.`,
    { details: { dropped: count, overflow: true } },
  );
}

function covers(path: string, other: string): boolean {
  return path === other || path === "/" || other.startsWith(`${path}/`);
}

/** Serves one socket until it is closed. `id` is the request id. */
export function serveWatch(socket: AgentSocket, options: WatchOptions, id: string): void {
  const { confinement, clock } = options;
  const trees = new Map<string, Tree>();
  const fail = (error: unknown) => errorFrame(error, id, clock);
  const outbox = makeOutbox(
    (frame) => socket.send(frame),
    (count) => fail(overflow(count)),
  );

  function onChange(event: WatchChange["event"], path: string, newPath?: string): void {
    const more = newPath === undefined ? {} : { new_path: newPath };
    outbox.push({ type: "change", path, event, timestamp: toRfc3339(clock.now()), ...more } satisfies WatchChange);
  }

  function start(path: string): void {
    const all = [...trees.values()];
    // What is watched already is told of once.
    if (all.some((tree) => covers(tree.path, path))) return;
    const tree = watchTree({
      ...{ ...options, path, onChange },
      onError: (error) => outbox.push(fail(error)),
      onEnd(error) {
        if (trees.get(path) === tree) trees.delete(path);
        outbox.push(fail(error));
      },
    });
    trees.set(path, tree);
    for (const other of all) if (covers(path, other.path)) stop(other);
  }

  function stop(tree: Tree): void {
    tree.close();
    trees.delete(tree.path);
  }

  socket.onFrame((fields) => {
    try {
      const { action, path: asked } = parseWatchFrame(fields);
      const path = confinement.absolute(asked);
      const known = trees.get(path);
      if (action === "watch") start(path);
      else if (known !== undefined) stop(known);
      else throw new BulkheadError("INVALID_REQUEST", `${path} is not watched here.`, { details: { path } });
    } catch (error) {
      outbox.push(fail(error));
    }
  });
  const closeAll = () => {
    for (const tree of trees.values()) tree.close();
  };
  if (socket.closed.aborted) closeAll();
  else socket.closed.addEventListener("abort", closeAll, { once: true });
}
