import { DeleteCommand, type DynamoDBDocumentClient, PutCommand, paginateScan } from "@aws-sdk/lib-dynamodb";
import { call } from "./failures.ts";
import { tableSchema } from "./table.ts";

type Item = Readonly<Record<string, unknown>>;

const keyNames = [tableSchema.partitionKey, tableSchema.sortKey] as const;
const idOf = (item: Item) => keyNames.map((name) => String(item[name])).join("\n");

/**
 * Makes indexes and items agree again. For dynalite only, before anything else uses the table: it writes an item and its index
 * entries one after the other, so that a process killed in between leaves entries without an item, or an item without entries.
 * DynamoDB itself never does, and a scan has no place there.
 * @returns how many items were set right
 */
export async function repairIndexes(client: DynamoDBDocumentClient, table: string): Promise<number> {
  const items = new Map((await scan(client, table)).map((item) => [idOf(item), item]));
  const wrong = new Map<string, Item>();
  const missing = new Set<string>();
  for (const index of tableSchema.indexes) {
    const entries = new Map((await scan(client, table, index.name)).map((entry) => [idOf(entry), entry]));
    const place = (item: Item | undefined) => `${String(item?.[index.partitionKey])}\n${String(item?.[index.sortKey])}`;
    for (const [id, entry] of entries)
      if (place(items.get(id)) !== place(entry)) wrong.set(`${index.name}\n${id}`, entry);
    for (const [id, item] of items) if (index.partitionKey in item && !entries.has(id)) missing.add(id);
  }
  // An entry goes away with the item that it came from: written once more, then replaced by what is true, or by nothing.
  for (const entry of wrong.values()) {
    await put(client, table, entry);
    const item = items.get(idOf(entry));
    if (item !== undefined) await put(client, table, item);
    else await remove(client, table, entry);
  }
  for (const id of missing) {
    const item = items.get(id);
    if (item !== undefined) await put(client, table, item);
  }
  return new Set([...missing, ...[...wrong.values()].map(idOf)]).size;
}

async function scan(client: DynamoDBDocumentClient, table: string, index?: string): Promise<Item[]> {
  const found: Item[] = [];
  const input = { TableName: table, ...(index === undefined ? {} : { IndexName: index }) };
  await call(async () => {
    for await (const page of paginateScan({ client }, input)) found.push(...(page.Items ?? []));
  });
  return found;
}

async function put(client: DynamoDBDocumentClient, table: string, item: Item): Promise<void> {
  await call(() => client.send(new PutCommand({ TableName: table, Item: { ...item } })));
}

async function remove(client: DynamoDBDocumentClient, table: string, item: Item): Promise<void> {
  const Key = Object.fromEntries(keyNames.map((name) => [name, item[name]]));
  await call(() => client.send(new DeleteCommand({ TableName: table, Key })));
}
