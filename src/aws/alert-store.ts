import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { Alert, AlertStore } from "#core/alerts/model.ts";
import { alertRules } from "#core/alerts/rules.ts";
import { call, conditional } from "./failures.ts";
import { schemaVersion } from "./schemas.ts";
import type { Key } from "./table.ts";
import { parseGood, type QueryPage, queryPage, readItem, type TableDeps } from "./table-access.ts";

export const alertRetentionSeconds = 30 * 86_400;
/** Items looked at for one page: a filter that matches little must not read everything at once. */
const mostRead = 1_000;

const alertSchema = z.object({
  id: z.string(),
  projectId: z.string().nullable(),
  rule: z.enum(alertRules),
  severity: z.enum(["info", "warning", "critical"]),
  subject: z.string(),
  title: z.string(),
  text: z.string(),
  firstAt: z.number(),
  lastAt: z.number(),
  count: z.number(),
  acknowledgedAt: z.number().nullable(),
  acknowledgedBy: z.string().nullable(),
}) satisfies z.ZodType<Alert>;

export interface AlertStoreOptions {
  /** Project whose callers see the alerts of the platform itself. */
  readonly operator: string;
}

/** One partition for each project; ids sort by time. */
export function makeAlertStore(deps: TableDeps, { operator }: AlertStoreOptions): AlertStore {
  const keyOf = (projectId: string | null, id: string): Key => ({ pk: `ALERTS#${projectId ?? operator}`, sk: id });
  return {
    async add(alert, more) {
      const { id, projectId, rule, severity, subject, title, text, firstAt, lastAt } = alert;
      const what = { id, projectId, rule, severity, subject, title, text, firstAt };
      const fixed = { ...what, acknowledgedAt: null, acknowledgedBy: null, schemaVersion };
      const entries = Object.entries(fixed);
      await call(() =>
        deps.client.send(
          new UpdateCommand({
            TableName: deps.table,
            Key: { ...keyOf(projectId, id) },
            UpdateExpression: `SET #last = :last, #ttl = :ttl, ${entries.map((_entry, at) => `#f${at} = if_not_exists(#f${at}, :f${at})`).join(", ")} ADD #count :more`,
            ExpressionAttributeNames: {
              ...{ "#last": "lastAt", "#ttl": "expiresAtSeconds", "#count": "count" },
              ...Object.fromEntries(entries.map(([name], at) => [`#f${at}`, name])),
            },
            ExpressionAttributeValues: {
              ...{ ":last": lastAt, ":ttl": Math.ceil(lastAt / 1000) + alertRetentionSeconds, ":more": more },
              ...Object.fromEntries(entries.map(([, value], at) => [`:f${at}`, value])),
            },
          }),
        ),
      );
    },
    async list(projectId, { open, rule, limit, cursor }) {
      const found: Alert[] = [];
      let read = 0;
      let start: QueryPage["last"] = cursor === null ? null : keyOfCursor(projectId, cursor);
      do {
        const page: QueryPage = await queryPage(deps, {
          KeyConditionExpression: "pk = :p",
          ExpressionAttributeValues: { ":p": `ALERTS#${projectId}` },
          ScanIndexForward: false,
          Limit: limit,
          ...(start === null ? {} : { ExclusiveStartKey: start }),
        });
        read += page.items.length;
        const good = parseGood(deps, page.items, alertSchema);
        found.push(
          ...good.filter((one) => (!open || one.acknowledgedAt === null) && (rule === null || one.rule === rule)),
        );
        start = page.last;
      } while (start !== null && found.length < limit && read < mostRead);
      const items = found.slice(0, limit);
      const last = items.length < found.length ? items.at(-1)?.id : start?.["sk"];
      return { items, nextCursor: typeof last === "string" ? Buffer.from(last).toString("base64url") : null };
    },
    get: (projectId, id) => readItem(deps, keyOf(projectId, id), alertSchema),
    async acknowledge(projectId, id, by, at) {
      if (!idPattern.test(id)) return undefined;
      const key = keyOf(projectId, id);
      await conditional(() =>
        deps.client.send(
          new UpdateCommand({
            TableName: deps.table,
            Key: { ...key },
            UpdateExpression: "SET acknowledgedAt = :at, acknowledgedBy = :by",
            ConditionExpression: "attribute_exists(pk) AND acknowledgedAt = :none",
            ExpressionAttributeValues: { ":at": at, ":by": by, ":none": null },
          }),
        ),
      );
      return readItem(deps, key, alertSchema);
    },
  };
}

const idPattern = /^al_\d{14}[0-9a-f]{16}$/;

/** @throws BulkheadError INVALID_REQUEST for text that is no cursor of ours */
function keyOfCursor(projectId: string, cursor: string): Record<string, unknown> {
  const id = Buffer.from(cursor, "base64url").toString("utf8");
  if (idPattern.test(id)) return { pk: `ALERTS#${projectId}`, sk: id };
  throw new BulkheadError("INVALID_REQUEST", "Unknown cursor. Start the list again without one.", {
    details: { parameter: "cursor" },
  });
}
