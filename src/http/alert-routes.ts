import type { z } from "zod";
import { type AlertView, listAlertsQuerySchema, maxAlertPage } from "#contracts/control/alerts.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Alert } from "#core/alerts/model.ts";
import { runbookOf } from "#core/alerts/rules.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { parseQuery } from "./parse.ts";
import { type ControlContext, principalOf, requestContext } from "./request-state.ts";
import type { Routes } from "./routes.ts";
import { wire } from "./wire-schemas.ts";

/** What somebody should look at. */
export function addAlertRoutes(routes: Routes, { platform, config }: ControlDependencies): void {
  const by = (c: ControlContext) => requestContext(c, config.sourceIp ?? (() => null));
  routes.add(
    {
      method: "get",
      path: "/v1/alerts",
      summary:
        "List alerts of the last 30 days, newest first; a page may hold fewer than asked for, next_cursor goes on",
      needs: "alerts:read",
      tag: "Alerts",
      query: listAlertsQuerySchema,
      answer: [200, wire.alertList, "One page"],
    },
    async (c) => {
      const { limit, cursor = null, open, rule = null } = parseQuery(listAlertsQuerySchema, c.req.query());
      const filter = { limit: Math.min(limit, maxAlertPage), cursor, open: open === "true", rule };
      const page = await platform.alerts.list(principalOf(c), filter, by(c));
      const answer: z.infer<typeof wire.alertList> = {
        object: "list",
        data: page.items.map(alertView),
        has_more: page.nextCursor !== null,
        next_cursor: page.nextCursor,
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
  );
  routes.add(
    {
      method: "post",
      path: "/v1/alerts/{id}/acknowledge",
      summary: "Say that somebody looks after an alert; the first one who says so stands",
      needs: "alerts:write",
      tag: "Alerts",
      answer: [200, wire.alertAnswer, "The alert"],
    },
    async (c) => {
      const alert = await platform.alerts.acknowledge(principalOf(c), c.req.param("id") ?? "", by(c));
      const answer: z.infer<typeof wire.alertAnswer> = { ...alertView(alert), request_id: c.get("requestId") };
      return c.json(answer);
    },
  );
}

export function alertView(alert: Alert): AlertView {
  const { id, rule, severity, subject, title, text, count, acknowledgedAt, acknowledgedBy } = alert;
  return {
    object: "alert",
    ...{ id, rule, severity, subject, title, text, count },
    scope: alert.projectId === null ? "platform" : "project",
    runbook: runbookOf(rule),
    first_at: toRfc3339(alert.firstAt),
    last_at: toRfc3339(alert.lastAt),
    acknowledged_at: acknowledgedAt === null ? null : toRfc3339(acknowledgedAt),
    acknowledged_by: acknowledgedBy,
  };
}
