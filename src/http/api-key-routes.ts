import type { z } from "zod";
import { type ApiKeyView, type CreateApiKeyRequest, keyLifetimes } from "#contracts/control/api-keys.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { ApiKeyRecord } from "#core/model.ts";
import { readJsonBody } from "./body.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { parseInput } from "./parse.ts";
import { type ControlContext, principalOf, requestContext } from "./request-state.ts";
import type { Handler, Routes } from "./routes.ts";
import { wire } from "./wire-schemas.ts";

const tag = "API keys";
const all = "/auth/api-keys";
const one = "/auth/api-keys/{id}";

/** Keys of the asking key's project (contract §3.8). */
export function addApiKeyRoutes(routes: Routes, deps: ControlDependencies): void {
  const on = makeHandlers(deps);
  routes.add(
    {
      method: "post",
      path: all,
      summary: "Make an API key; it is shown once",
      needs: "keys:write",
      tag,
      body: wire.createApiKeyRequest,
      answer: [201, wire.createdApiKey, "The key"],
    },
    on.create,
  );
  routes.add(
    {
      method: "get",
      path: all,
      summary: "List API keys",
      needs: "keys:read",
      tag,
      answer: [200, wire.apiKeyList, "All keys"],
    },
    on.list,
  );
  routes.add(
    {
      method: "get",
      path: one,
      summary: "Get an API key",
      needs: "keys:read",
      tag,
      answer: [200, wire.apiKeyAnswer, "The key's record"],
    },
    on.get,
  );
  routes.add(
    {
      method: "post",
      path: `${one}/rotate`,
      summary: "Make a key that takes the place of another; both work for a while",
      needs: "keys:write",
      tag,
      body: wire.rotateApiKeyRequest,
      answer: [201, wire.createdApiKey, "The new key"],
    },
    on.rotate,
  );
  routes.add(
    {
      method: "delete",
      path: one,
      summary: "Revoke an API key",
      needs: "keys:write",
      tag,
      answer: [200, wire.acknowledgement, "Revoked; takes effect within seconds"],
    },
    on.revoke,
  );
}

function makeHandlers({
  platform: { keys },
  clock,
  config,
}: ControlDependencies): Record<"create" | "list" | "get" | "rotate" | "revoke", Handler> {
  const contextOf = (c: ControlContext) => requestContext(c, config.sourceIp ?? (() => null));
  const view = (record: ApiKeyRecord) => apiKeyView(record, clock.now());
  return {
    async create(c) {
      const body = parseInput(wire.createApiKeyRequest, await readJsonBody(c.req), "body");
      const { record, key } = await keys.create(
        principalOf(c),
        {
          name: body.name,
          ...lifetime(body),
          ...(body.scopes != null && { scopes: body.scopes }),
          ...(body.environment != null && { environment: body.environment }),
        },
        contextOf(c),
      );
      const answer: z.infer<typeof wire.createdApiKey> = {
        success: true,
        message: "API key created. Keep full_key: it is not shown again.",
        api_key: view(record),
        full_key: key,
        request_id: c.get("requestId"),
      };
      return c.json(answer, 201);
    },
    async list(c) {
      const found = await keys.list(principalOf(c), contextOf(c));
      const answer: z.infer<typeof wire.apiKeyList> = {
        success: true,
        api_keys: found.map(view),
        count: found.length,
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
    async get(c) {
      const id = c.req.param("id") ?? "";
      const found = (await keys.list(principalOf(c), contextOf(c))).find((record) => record.id === id);
      if (found === undefined) throw new BulkheadError("RESOURCE_NOT_FOUND", `API key ${id.slice(0, 64)} not found.`);
      const answer: z.infer<typeof wire.apiKeyAnswer> = {
        success: true,
        api_key: view(found),
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
    async rotate(c) {
      const { overlap_seconds } = parseInput(wire.rotateApiKeyRequest, await readJsonBody(c.req), "body");
      const id = c.req.param("id") ?? "";
      const { record, key } = await keys.rotate(principalOf(c), id, overlap_seconds, contextOf(c));
      const answer: z.infer<typeof wire.createdApiKey> = {
        success: true,
        message: `API key created in place of ${id}, which works for another ${overlap_seconds} seconds at most. Keep full_key: it is not shown again.`,
        api_key: view(record),
        full_key: key,
        request_id: c.get("requestId"),
      };
      return c.json(answer, 201);
    },
    async revoke(c) {
      const id = c.req.param("id") ?? "";
      await keys.revoke(principalOf(c), id, contextOf(c));
      const answer: z.infer<typeof wire.acknowledgement> = { success: true, message: `API key ${id} revoked.` };
      return c.json(answer);
    },
  };
}

/** Nothing where nothing is asked: the deployment decides then. */
function lifetime(body: CreateApiKeyRequest): { readonly expiresInSeconds?: number | null } {
  if (body.expires_in_seconds != null) return { expiresInSeconds: body.expires_in_seconds };
  return body.expires_in == null ? {} : { expiresInSeconds: keyLifetimes[body.expires_in] };
}

function apiKeyView(record: ApiKeyRecord, now: number): ApiKeyView {
  const prefix = `hopx_live_${record.id}`;
  return {
    id: record.id,
    key_id: record.id,
    name: record.name,
    prefix,
    masked_key: `${prefix}.****`,
    status: statusOf(record, now),
    scopes: [...record.scopes],
    created_at: toRfc3339(record.createdAt),
    expires_at: record.expiresAt === null ? null : toRfc3339(record.expiresAt),
    last_used_at: record.lastUsedAt === null ? null : toRfc3339(record.lastUsedAt),
    environment: record.environment,
    rotate_at: record.rotateAt === null ? null : toRfc3339(record.rotateAt),
    replaced_by: record.replacedBy,
  };
}

function statusOf(record: ApiKeyRecord, now: number): ApiKeyView["status"] {
  if (record.revokedAt !== null) return "revoked";
  return record.expiresAt !== null && record.expiresAt <= now ? "expired" : "active";
}
