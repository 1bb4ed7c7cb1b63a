import { TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import type { AuditEvent, SandboxRecord } from "#core/model.ts";
import type { AuditLog, Written } from "#core/ports.ts";
import { auditItem } from "./audit-item.ts";
import { isCancelledByCondition, storeFailure } from "./failures.ts";
import { soloKey } from "./table.ts";
import { type IndexKeys, itemOf, putNew, type TableDeps } from "./table-access.ts";

/**
 * A new sandbox and the audit event of its making, in one transaction: one call, and neither without the other. Where there are no
 * transactions (dynalite) both are written at once; a caller that sees one of them fail takes the sandbox back.
 */
export async function insertSandbox(
  deps: TableDeps,
  record: SandboxRecord,
  indexes: IndexKeys,
  event: AuditEvent | undefined,
  audit: Pick<AuditLog, "append">,
): Promise<Written> {
  const key = soloKey("SANDBOX", record.id);
  if (event === undefined) return putNew(deps, key, record, indexes);
  if (deps.transactions !== true) {
    const [written] = await Promise.all([putNew(deps, key, record, indexes), audit.append(event)]);
    return written;
  }
  try {
    await deps.client.send(
      new TransactWriteCommand({
        TransactItems: [
          {
            Put: {
              TableName: deps.table,
              Item: itemOf(key, record, indexes),
              ConditionExpression: "attribute_not_exists(pk)",
            },
          },
          { Put: { TableName: deps.table, Item: auditItem(event) } },
        ],
      }),
    );
    return "written";
  } catch (thrown) {
    if (isCancelledByCondition(thrown)) return "lost";
    throw storeFailure(thrown);
  }
}
