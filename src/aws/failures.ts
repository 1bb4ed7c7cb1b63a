import { BulkheadError } from "#contracts/errors.ts";
import type { Written } from "#core/ports.ts";

const throttles = new Set([
  "ProvisionedThroughputExceededException",
  "ThrottlingException",
  "RequestLimitExceeded",
  "LimitExceededException",
]);

/** Runs a conditional write: a failed condition is an answer, anything else a typed error. */
export async function conditional(write: () => Promise<unknown>): Promise<Written> {
  try {
    await write();
    return "written";
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === "ConditionalCheckFailedException") return "lost";
    throw storeFailure(thrown);
  }
}

/** Runs any other call: what fails becomes a typed, retryable error. */
export async function call<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw storeFailure(thrown);
  }
}

function storeFailure(thrown: unknown): BulkheadError {
  if (thrown instanceof BulkheadError) return thrown;
  const name = thrown instanceof Error ? thrown.name : "unknown";
  const message = throttles.has(name)
    ? "The database is throttling. Repeat the request in a moment."
    : "The database did not answer as expected. Repeat the request in a moment.";
  return new BulkheadError("SERVICE_UNAVAILABLE", message, { cause: thrown, details: { retry_after_seconds: 1 } });
}
