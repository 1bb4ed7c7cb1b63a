import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";

const throttles = new Set([
  "LimitExceededException",
  "RequestLimitExceeded",
  "ThrottlingException",
  "TooManyRequestsException",
]);

const sdkErrorSchema = z.object({ $metadata: z.object({ httpStatusCode: z.number().optional() }) });

/**
 * What a failed call to an AWS service means: throttled, timed out, broken or unreachable is SERVICE_UNAVAILABLE, to be repeated;
 * refused for what was asked is INTERNAL_ERROR. `service` names it for the caller, e.g. "The key service".
 */
export function serviceFailure(service: string, thrown: unknown): BulkheadError {
  if (thrown instanceof BulkheadError) return thrown;
  const throttled = thrown instanceof Error && throttles.has(thrown.name);
  const status = sdkErrorSchema.safeParse(thrown).data?.$metadata.httpStatusCode;
  if (!throttled && status !== undefined && status < 500) {
    return new BulkheadError("INTERNAL_ERROR", `${service} refused a request. Report the request id.`, {
      cause: thrown,
    });
  }
  return new BulkheadError("SERVICE_UNAVAILABLE", `${service} cannot answer now. Repeat the request in a moment.`, {
    cause: thrown,
    details: { retry_after_seconds: 1 },
  });
}

/** Runs a call to a service: what fails becomes a typed error. */
export async function callService<T>(service: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw serviceFailure(service, thrown);
  }
}
