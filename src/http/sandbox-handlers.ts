import {
  type CreatedSandbox,
  type DeletedSandbox,
  listSandboxesQuerySchema,
  maxPage,
  type Sandbox,
  type SandboxList,
  type SandboxToken,
  type Timeout,
} from "#contracts/control/sandboxes.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { sandboxIdSchema } from "#contracts/ids.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { askedPolicy } from "#core/network/policy.ts";
import type { SandboxQuery } from "#core/ports.ts";
import type { CreateContext, CreateInput } from "#core/sandboxes.ts";
import { bodyHash, readJsonBody } from "./body.ts";
import { createInput, idempotencyKey } from "./create-request.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { networkView } from "./network-view.ts";
import { parseInput, parseQuery } from "./parse.ts";
import { type ControlContext, principalOf, requestContext } from "./request-state.ts";
import type { Handler } from "./routes.ts";
import { expiresAt, sandboxView, statusView, storedStatuses, tokenView } from "./sandbox-view.ts";
import { wire } from "./wire-schemas.ts";

type Change = "pause" | "resume" | "stop" | "start";
type Operation =
  | "create"
  | "list"
  | "get"
  | "kill"
  | "setTimeout"
  | "getNetwork"
  | "putNetwork"
  | "refreshToken"
  | Change;

export function makeSandboxHandlers(deps: ControlDependencies): Record<Operation, Handler> {
  const { platform, config } = deps;
  const { sandboxes } = platform;
  const contextOf = (c: ControlContext) => requestContext(c, config.sourceIp ?? (() => null));
  const change =
    (name: Change): Handler =>
    async (c) =>
      c.json(statusView(await sandboxes[name](principalOf(c), sandboxId(c), contextOf(c)), config, c.get("requestId")));
  return {
    async create(c) {
      const { input, ...asked } = await createRequest(c);
      const { sandbox, token } = await sandboxes.create(principalOf(c), input, { ...contextOf(c), ...asked });
      const view = { ...sandboxView(sandbox, config), ...tokenView(token), request_id: c.get("requestId") };
      return c.json(view satisfies CreatedSandbox, 201);
    },
    async list(c) {
      const page = await sandboxes.list(principalOf(c), listQuery(c), contextOf(c));
      const answer: SandboxList = {
        object: "list",
        data: page.items.map((record) => sandboxView(record, config)),
        has_more: page.nextCursor !== null,
        next_cursor: page.nextCursor,
        url: "/v1/sandboxes",
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
    async get(c) {
      const record = await sandboxes.get(principalOf(c), sandboxId(c), contextOf(c));
      return c.json({ ...sandboxView(record, config), request_id: c.get("requestId") } satisfies Sandbox);
    },
    async kill(c) {
      const id = sandboxId(c);
      await sandboxes.kill(principalOf(c), id, contextOf(c));
      const requestId = c.get("requestId");
      const answer: DeletedSandbox = { id, object: "sandbox", status: "deleted", deleted: true, request_id: requestId };
      return c.json(answer);
    },
    async setTimeout(c) {
      const id = sandboxId(c);
      const { timeout_seconds: seconds } = parseInput(wire.setTimeoutRequest, await readJsonBody(c.req), "body");
      const record = await sandboxes.setTimeout(principalOf(c), id, seconds || null, contextOf(c));
      const answer: Timeout = {
        id,
        timeout_seconds: record.deadlines.timeoutSeconds,
        expires_at: toRfc3339(expiresAt(record)),
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
    async getNetwork(c) {
      const record = await sandboxes.get(principalOf(c), sandboxId(c), contextOf(c));
      return c.json(networkView(record, c.get("requestId")));
    },
    async putNetwork(c) {
      const id = sandboxId(c);
      const { version = null, ...policy } = parseInput(wire.putNetwork, await readJsonBody(c.req), "body");
      const record = await sandboxes.setNetwork(principalOf(c), id, askedPolicy(policy), version, contextOf(c));
      return c.json(networkView(record, c.get("requestId")));
    },
    pause: change("pause"),
    resume: change("resume"),
    stop: change("stop"),
    start: change("start"),
    async refreshToken(c) {
      const issued = await sandboxes.refreshToken(principalOf(c), sandboxId(c), contextOf(c));
      return c.json(tokenView(issued) satisfies SandboxToken);
    },
  };
}

async function createRequest(
  c: ControlContext,
): Promise<{ input: CreateInput } & Pick<CreateContext, "idempotencyKey" | "bodyHash" | "signal">> {
  const body = parseInput(wire.createSandboxRequest, await readJsonBody(c.req), "body");
  return {
    input: createInput(body),
    idempotencyKey: idempotencyKey(c.req.header("idempotency-key")),
    bodyHash: bodyHash(body),
    signal: c.req.raw.signal,
  };
}

function listQuery(c: ControlContext): SandboxQuery {
  const query = parseQuery(listSandboxesQuerySchema, c.req.query());
  return {
    limit: Math.min(query.limit, maxPage),
    cursor: query.cursor ?? null,
    statuses: query.status === undefined ? null : storedStatuses(query.status),
    region: query.region ?? null,
  };
}

/** The id of the path. What cannot be an id is not looked up. @throws BulkheadError SANDBOX_NOT_FOUND */
export function sandboxId(c: ControlContext): string {
  const given = c.req.param("id") ?? "";
  if (sandboxIdSchema.safeParse(given).success) return given;
  throw new BulkheadError("SANDBOX_NOT_FOUND", `Sandbox ${given.slice(0, 64)} not found`);
}
