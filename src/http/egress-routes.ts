import type { z } from "zod";
import { listEgressQuerySchema, maxEgressPage } from "#contracts/control/egress.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { egressView } from "./egress-view.ts";
import { parseQuery } from "./parse.ts";
import { principalOf, requestContext } from "./request-state.ts";
import type { Routes } from "./routes.ts";
import { wire } from "./wire-schemas.ts";

/** What sandboxes of the caller's project connected to, and what was refused. */
export function addEgressRoutes(routes: Routes, { platform, config }: ControlDependencies): void {
  routes.add(
    {
      method: "get",
      path: "/v1/egress",
      summary:
        "List connections out of sandboxes, newest first; a page may hold fewer rows than asked for, next_cursor goes on",
      needs: "network:read",
      tag: "Egress",
      query: listEgressQuerySchema,
      answer: [200, wire.egressList, "One page"],
    },
    async (c) => {
      const {
        limit,
        cursor = null,
        sandbox,
        host = null,
        decision = null,
        state = null,
        since = null,
        until = null,
      } = parseQuery(listEgressQuerySchema, c.req.query());
      const query = { cursor, host, decision, state, since, until, sandboxId: sandbox ?? null };
      const page = await platform.egress.list(
        principalOf(c),
        { ...query, limit: Math.min(limit, maxEgressPage) },
        requestContext(c, config.sourceIp ?? (() => null)),
      );
      const answer: z.infer<typeof wire.egressList> = {
        object: "list",
        data: page.items.map(egressView),
        has_more: page.nextCursor !== null,
        next_cursor: page.nextCursor,
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
  );
}
