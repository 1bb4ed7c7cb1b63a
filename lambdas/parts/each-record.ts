import { type StreamRecord, type TableChange, tableChange } from "#aws/table-stream.ts";
import type { Logger } from "#telemetry/logger.ts";

/** What Lambda expects of a function behind a stream: records from the first failed one on are delivered again. */
export interface BatchAnswer {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

/** Acts on each change, all at once: what they cause is safe to repeat and in no need of order. */
export async function eachChange(
  records: readonly StreamRecord[],
  logger: Logger,
  act: (change: TableChange) => Promise<void>,
): Promise<BatchAnswer> {
  const failed = await Promise.all(
    records.map(async (record) => {
      const change = tableChange(record);
      if (change === null) return null;
      try {
        await act(change);
        return null;
      } catch (error) {
        logger.warn("change not acted on, delivered again", { type: change.type, error });
        return record.dynamodb?.SequenceNumber ?? null;
      }
    }),
  );
  return { batchItemFailures: failed.filter((id) => id !== null).map((itemIdentifier) => ({ itemIdentifier })) };
}
