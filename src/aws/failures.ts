import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { Written } from "#core/ports.ts";

const throttles = new Set([
  "ProvisionedThroughputExceededException",
  "ThrottlingException",
  "RequestLimitExceeded",
  "LimitExceededException",
]);

/** What the SDK adds to its errors; no status: there was no answer. */
const sdkErrorSchema = z.object({
  $metadata: z.object({ httpStatusCode: z.number().optional(), attempts: z.number().optional() }),
});

const cancelledSchema = z.object({
  name: z.literal("TransactionCanceledException"),
  CancellationReasons: z.array(z.object({ Code: z.string().optional() })),
});

/** Runs a conditional write: a failed condition is an answer, anything else a typed error. */
export async function conditional(write: () => Promise<unknown>): Promise<Written> {
  try {
    await write();
    return "written";
  } catch (thrown) {
    if (isConditionFailure(thrown)) return "lost";
    throw storeFailure(thrown);
  }
}

/** Runs any other call: what fails becomes a typed error. */
export async function call<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw storeFailure(thrown);
  }
}

export function isConditionFailure(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "ConditionalCheckFailedException";
}

/** A transaction that was undone because a condition of one of its writes did not hold. */
export function isCancelledByCondition(thrown: unknown): boolean {
  const parsed = cancelledSchema.safeParse(thrown);
  return parsed.success && parsed.data.CancellationReasons.some((reason) => reason.Code === "ConditionalCheckFailed");
}

/** True when the SDK sent the request more than once: a failed condition may then be the work of our own first attempt. */
export function wasRepeated(thrown: unknown): boolean {
  const parsed = sdkErrorSchema.safeParse(thrown);
  return parsed.success && (parsed.data.$metadata.attempts ?? 1) > 1;
}

/** Throttled, timed out or unreachable: SERVICE_UNAVAILABLE, to be repeated. Refused for what was asked: INTERNAL_ERROR. */
export function storeFailure(thrown: unknown): BulkheadError {
  if (thrown instanceof BulkheadError) return thrown;
  const throttled = thrown instanceof Error && throttles.has(thrown.name);
  const status = sdkErrorSchema.safeParse(thrown).data?.$metadata.httpStatusCode;
  if (!throttled && status !== undefined && status < 500) {
    return new BulkheadError("INTERNAL_ERROR", "The database refused a request. Report the request id.", {
      cause: thrown,
    });
  }
  const message = throttled
    ? "The database is throttling. Repeat the request in a moment."
    : "The database did not answer in time. Repeat the request in a moment.";
  return new BulkheadError("SERVICE_UNAVAILABLE", message, { cause: thrown, details: { retry_after_seconds: 1 } });
}
