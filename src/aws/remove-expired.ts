import { BatchWriteCommand, type DynamoDBDocumentClient, paginateScan } from "@aws-sdk/lib-dynamodb";
import { call } from "./failures.ts";
import { tableSchema } from "./table.ts";

/** What one BatchWriteItem takes. */
const batchSize = 25;
/** Looked at in one go: others want the database as well. */
const pageSize = 100;

/**
 * Removes items whose time has passed, as DynamoDB does by itself (TTL) and dynalite does not. For dynalite only: a scan has no place in
 * DynamoDB.
 * @returns how many were removed
 */
export async function removeExpired(client: DynamoDBDocumentClient, table: string, nowMs: number): Promise<number> {
  const { partitionKey, sortKey, ttlAttribute } = tableSchema;
  let removed = 0;
  const pages = paginateScan(
    { client, pageSize },
    {
      TableName: table,
      ProjectionExpression: "#p, #s",
      FilterExpression: "#t <= :now",
      ExpressionAttributeNames: { "#p": partitionKey, "#s": sortKey, "#t": ttlAttribute },
      ExpressionAttributeValues: { ":now": Math.floor(nowMs / 1000) },
    },
  );
  await call(async () => {
    for await (const { Items = [] } of pages) {
      for (let from = 0; from < Items.length; from += batchSize) {
        const requests = Items.slice(from, from + batchSize).map((Key) => ({ DeleteRequest: { Key } }));
        await client.send(new BatchWriteCommand({ RequestItems: { [table]: requests } }));
        removed += requests.length;
      }
    }
  });
  return removed;
}
