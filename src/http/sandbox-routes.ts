import { z } from "@hono/zod-openapi";
import { listSandboxesQuerySchema } from "#contracts/control/sandboxes.ts";
import type { ControlDependencies } from "./dependencies.ts";
import type { Routes } from "./routes.ts";
import { makeSandboxHandlers } from "./sandbox-handlers.ts";
import { wire } from "./wire-schemas.ts";

const tag = "Sandboxes";
const one = "/v1/sandboxes/{id}";

const changes = [
  ["pause", "Freeze a sandbox where it stands; memory and files stay"],
  ["resume", "Let a paused sandbox go on"],
  ["stop", "End a sandbox's instance; files and environment stay"],
  ["start", "Give a stopped sandbox a new instance on its files"],
] as const;

export function addSandboxRoutes(routes: Routes, deps: ControlDependencies): void {
  const on = makeSandboxHandlers(deps);
  addWholes(routes, on);
  routes.add(
    {
      method: "put",
      path: `${one}/timeout`,
      summary: "Set the timeout, counted from now; 0 clears it",
      needs: "sandboxes:update",
      tag,
      body: wire.setTimeoutRequest,
      answer: [200, wire.timeout, "The new deadline"],
    },
    on.setTimeout,
  );
  addNetworkRoutes(routes, on);
  addChanges(routes, on);
  routes.add(
    {
      method: "post",
      path: `${one}/token/refresh`,
      summary: "Get another token; earlier ones stay valid",
      needs: "sandboxes:exec",
      tag,
      answer: [200, wire.token, "The token"],
    },
    on.refreshToken,
  );
}

/** Making, finding and ending one. */
function addWholes(routes: Routes, on: ReturnType<typeof makeSandboxHandlers>): void {
  routes.add(
    {
      method: "post",
      path: "/v1/sandboxes",
      summary: "Create a sandbox; the answer comes when its agent does",
      needs: "sandboxes:create",
      tag,
      headers: z.object({ "Idempotency-Key": z.string().min(1).max(255).optional() }),
      body: wire.createSandboxRequest,
      answer: [201, wire.createdSandbox, "The sandbox and its token"],
    },
    on.create,
  );
  routes.add(
    {
      method: "get",
      path: "/v1/sandboxes",
      summary: "List sandboxes, newest first",
      needs: "sandboxes:read",
      tag,
      query: listSandboxesQuerySchema,
      answer: [200, wire.sandboxList, "One page"],
    },
    on.list,
  );
  routes.add(
    {
      method: "get",
      path: one,
      summary: "Get a sandbox",
      needs: "sandboxes:read",
      tag,
      answer: [200, wire.sandbox, "The sandbox"],
    },
    on.get,
  );
  routes.add(
    {
      method: "delete",
      path: one,
      summary: "End a sandbox",
      needs: "sandboxes:kill",
      tag,
      answer: [200, wire.deletedSandbox, "Ended"],
    },
    on.kill,
  );
}

function addChanges(routes: Routes, on: ReturnType<typeof makeSandboxHandlers>): void {
  for (const [verb, summary] of changes) {
    routes.add(
      {
        method: "post",
        path: `${one}/${verb}`,
        summary,
        needs: "sandboxes:update",
        tag,
        answer: [200, wire.statusAnswer, "What it is now"],
      },
      on[verb],
    );
  }
}

function addNetworkRoutes(routes: Routes, on: ReturnType<typeof makeSandboxHandlers>): void {
  routes.add(
    {
      method: "get",
      path: `${one}/network`,
      summary: "Get what a sandbox may reach",
      needs: "sandboxes:read",
      tag,
      answer: [200, wire.networkAnswer, "The policy"],
    },
    on.getNetwork,
  );
  routes.add(
    {
      method: "put",
      path: `${one}/network`,
      summary: "Replace what a sandbox may reach; new connections follow it at once, open ones that it refuses are cut",
      needs: "network:write",
      tag,
      body: wire.putNetwork,
      answer: [200, wire.networkAnswer, "The policy as it is now"],
    },
    on.putNetwork,
  );
}
