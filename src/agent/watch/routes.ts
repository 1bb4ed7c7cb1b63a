import type { AgentClock } from "../clock.ts";
import { makeConfinement } from "../files/confinement.ts";
import type { SocketRoute } from "../socket.ts";
import { makeBudget } from "./budget.ts";
import { makeInotify } from "./inotify.ts";
import { serveWatch } from "./session.ts";

export interface WatchRouteOptions {
  /** Directories that may be watched, with all below them. */
  readonly roots: readonly string[];
  readonly clock: AgentClock;
}

/** `/files/watch`: changes below directories, as they come (contract §5). */
export function watchRoutes({ roots, clock }: WatchRouteOptions): SocketRoute[] {
  const budget = makeBudget();
  const options = { confinement: makeConfinement(roots), inotify: makeInotify(), budget, clock };
  return [
    {
      path: "/files/watch",
      open(request) {
        budget.take("sockets", 1);
        try {
          const socket = request.accept();
          if (socket.closed.aborted) budget.give("sockets", 1);
          else socket.closed.addEventListener("abort", () => budget.give("sockets", 1), { once: true });
          serveWatch(socket, options, request.id);
        } catch (error) {
          budget.give("sockets", 1);
          throw error;
        }
      },
    },
  ];
}
