import { PutCommand } from "@aws-sdk/lib-dynamodb";
import type { TemplateRecord } from "#core/model.ts";
import type { TemplateStore } from "#core/ports.ts";
import { call } from "./failures.ts";
import { schemaVersion, templateItemSchema } from "./schemas.ts";
import { queryAll, readItem, type TableDeps } from "./table-access.ts";

const partition = "TEMPLATES";

/** All templates stand in one partition: there are dozens, and clients list them whole. */
export function makeTemplateStore(deps: TableDeps): TemplateStore {
  async function list(): Promise<TemplateRecord[]> {
    const found: TemplateRecord[] = [];
    for await (const record of queryAll(deps, null, partition, templateItemSchema)) found.push(record);
    return found;
  }
  return {
    async put(record) {
      const Item = { ...record, pk: partition, sk: record.name, schemaVersion };
      await call(() => deps.client.send(new PutCommand({ TableName: deps.table, Item })));
    },
    async get(nameOrId) {
      const named = await readItem(deps, { pk: partition, sk: nameOrId }, templateItemSchema);
      return named ?? (await list()).find((record) => record.id === nameOrId);
    },
    list,
  };
}
