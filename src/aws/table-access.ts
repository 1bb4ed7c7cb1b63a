import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
} from "@aws-sdk/lib-dynamodb";
import type { z } from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { Clock, Written } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { call, conditional } from "./failures.ts";
import { schemaVersion } from "./schemas.ts";
import type { Key } from "./table.ts";

export interface TableDeps {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether the database has transactions: DynamoDB does, dynalite does not. @default false */
  readonly transactions?: boolean;
}

/** Attributes for the indexes an item appears in. */
export type IndexKeys = Readonly<Record<string, string>>;

/** Reads one item, consistently. An item whose TTL has passed is treated as gone. @throws BulkheadError INTERNAL_ERROR for an item of another shape */
export async function readItem<T>(deps: TableDeps, key: Key, schema: z.ZodType<T>): Promise<T | undefined> {
  const { Item } = await call(() =>
    deps.client.send(new GetCommand({ TableName: deps.table, Key: { ...key }, ConsistentRead: true })),
  );
  if (Item === undefined || isExpired(Item, deps.clock.now())) return undefined;
  const parsed = schema.safeParse(Item);
  if (parsed.success) return parsed.data;
  throw new BulkheadError("INTERNAL_ERROR", "A stored record has an unknown shape. Report the request id.", {
    cause: parsed.error,
  });
}

export function isExpired(item: Readonly<Record<string, unknown>>, now: number): boolean {
  const expires = item["expiresAtSeconds"];
  return typeof expires === "number" && expires * 1000 <= now;
}

export function itemOf(key: Key, record: object, indexes: IndexKeys): Record<string, unknown> {
  return { ...record, ...key, ...indexes, schemaVersion };
}

export function putNew(deps: TableDeps, key: Key, record: object, indexes: IndexKeys = {}): Promise<Written> {
  return conditional(() =>
    deps.client.send(
      new PutCommand({
        TableName: deps.table,
        Item: itemOf(key, record, indexes),
        ConditionExpression: "attribute_not_exists(pk)",
      }),
    ),
  );
}

/** Replaces an item if its stored version is the one before `record.version`. */
export function putNext(
  deps: TableDeps,
  key: Key,
  record: { readonly version: number },
  indexes: IndexKeys,
): Promise<Written> {
  return conditional(() =>
    deps.client.send(
      new PutCommand({
        TableName: deps.table,
        Item: itemOf(key, record, indexes),
        ConditionExpression: "version = :previous",
        ExpressionAttributeValues: { ":previous": record.version - 1 },
      }),
    ),
  );
}

export interface QueryPage {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly last: Readonly<Record<string, unknown>> | null;
}

export async function queryPage(deps: TableDeps, input: Omit<QueryCommandInput, "TableName">): Promise<QueryPage> {
  const answer = await call(() => deps.client.send(new QueryCommand({ TableName: deps.table, ...input })));
  return { items: answer.Items ?? [], last: answer.LastEvaluatedKey ?? null };
}

/** Every item of a partition of an index or of the table. Bad items are reported and left out: one of them must not stop the sweeper. */
export async function* queryAll<T>(
  deps: TableDeps,
  index: "gsi1" | "gsi2" | null,
  partition: string,
  schema: z.ZodType<T>,
): AsyncGenerator<T> {
  let start: Readonly<Record<string, unknown>> | null = null;
  do {
    const page: QueryPage = await queryPage(deps, {
      ...(index === null ? {} : { IndexName: index }),
      KeyConditionExpression: "#p = :p",
      ExpressionAttributeNames: { "#p": index === null ? "pk" : `${index}pk` },
      ExpressionAttributeValues: { ":p": partition },
      ...(start === null ? {} : { ExclusiveStartKey: start }),
    });
    yield* parseGood(deps, page.items, schema);
    start = page.last;
  } while (start !== null);
}

export function parseGood<T>(
  deps: TableDeps,
  items: readonly Readonly<Record<string, unknown>>[],
  schema: z.ZodType<T>,
): T[] {
  const good: T[] = [];
  for (const item of items) {
    if (isExpired(item, deps.clock.now())) continue;
    const parsed = schema.safeParse(item);
    if (parsed.success) good.push(parsed.data);
    else
      deps.logger.error("stored record of unknown shape left out", {
        pk: item["pk"],
        sk: item["sk"],
        error: parsed.error,
      });
  }
  return good;
}
