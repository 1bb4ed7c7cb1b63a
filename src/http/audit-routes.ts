import type { z } from "zod";
import { type AuditEventView, exportAuditQuerySchema, listAuditQuerySchema } from "#contracts/control/audit.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { ChainedEvent } from "#core/ports.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { parseQuery } from "./parse.ts";
import { type ControlContext, principalOf, requestContext } from "./request-state.ts";
import type { Handler, Routes } from "./routes.ts";
import { wire } from "./wire-schemas.ts";

const tag = "Audit";

/** Who did what to what in the caller's project, in a chain that shows what was changed afterwards. */
export function addAuditRoutes(routes: Routes, deps: ControlDependencies): void {
  const on = makeHandlers(deps);
  routes.add(
    {
      method: "get",
      path: "/v1/audit",
      summary: "List audit events; a page may hold fewer than asked for, next_cursor goes on",
      needs: "audit:read",
      tag,
      query: listAuditQuerySchema,
      answer: [200, wire.auditList, "One page"],
    },
    on.list,
  );
  routes.add(
    {
      method: "get",
      path: "/v1/audit/export",
      summary: "Audit events as their hashes were made, oldest first",
      needs: "audit:read",
      tag,
      query: exportAuditQuerySchema,
      answer: [200, wire.auditExport, "Records that follow each other"],
    },
    on.export,
  );
  routes.add(
    {
      method: "get",
      path: "/v1/audit/checkpoints",
      summary: "Signed statements of where the audit record stood",
      needs: "audit:read",
      tag,
      answer: [200, wire.checkpoints, "Oldest first"],
    },
    on.checkpoints,
  );
  routes.add(
    {
      method: "post",
      path: "/v1/audit/checkpoints",
      summary: "Sign where the audit record stands now",
      needs: "audit:read",
      tag,
      answer: [201, wire.checkpointAnswer, "The checkpoint"],
    },
    on.checkpoint,
  );
  routes.add(
    {
      method: "get",
      path: "/v1/audit/public-key",
      summary: "The key that checkpoints and evidence are signed with",
      needs: "audit:read",
      tag,
      answer: [200, wire.auditKey, "SPKI, PEM"],
    },
    on.publicKey,
  );
}

function makeHandlers({
  platform,
  config,
}: ControlDependencies): Record<"list" | "export" | "checkpoints" | "checkpoint" | "publicKey", Handler> {
  const by = (c: ControlContext) => [principalOf(c), requestContext(c, config.sourceIp ?? (() => null))] as const;
  const time = (text: string | undefined) => (text === undefined ? null : Date.parse(text));
  return {
    async list(c) {
      const asked = parseQuery(listAuditQuerySchema, c.req.query());
      const { cursor = null, target = null, actor = null, action = null, outcome = null, limit, order } = asked;
      const times = { since: time(asked.since), until: time(asked.until) };
      const [principal, context] = by(c);
      const page = await platform.auditRecord.list(
        principal,
        { limit, order, cursor, target, actor, action, outcome, ...times },
        context,
      );
      const answer: z.infer<typeof wire.auditList> = {
        object: "list",
        data: page.items.map(auditView),
        has_more: page.nextCursor !== null,
        next_cursor: page.nextCursor,
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
    async export(c) {
      const { from_seq, limit } = parseQuery(exportAuditQuerySchema, c.req.query());
      const [principal, context] = by(c);
      const records = await platform.auditRecord.export(principal, from_seq, limit, context);
      const last = records.at(-1);
      const next = last === undefined || records.length < limit ? null : last.seq + 1;
      return c.json({ records, next_seq: next, request_id: c.get("requestId") });
    },
    checkpoints: async (c) =>
      c.json({ checkpoints: await platform.auditRecord.checkpoints(...by(c)), request_id: c.get("requestId") }),
    async checkpoint(c) {
      const checkpoint = (await platform.auditRecord.checkpoint(...by(c))) ?? null;
      return c.json({ checkpoint, request_id: c.get("requestId") }, 201);
    },
    async publicKey(c) {
      const [principal, context] = by(c);
      const answer: z.infer<typeof wire.auditKey> = {
        public_key: await platform.auditRecord.publicKey(principal, context),
        project_id: principal.projectId,
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
  };
}

function auditView({ seq, hash, event }: ChainedEvent): AuditEventView {
  return {
    seq,
    hash,
    at: toRfc3339(event.at),
    actor: event.actor,
    scopes: [...event.scopes],
    action: event.action,
    target: event.target,
    outcome: event.outcome,
    request_id: event.requestId,
    source_ip: event.sourceIp,
    latency_ms: event.latencyMs,
    details: { ...event.details },
  };
}
