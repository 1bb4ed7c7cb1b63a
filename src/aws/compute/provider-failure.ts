import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import { callService, serviceFailure } from "../service-failure.ts";

const named = z.object({ name: z.string(), message: z.string().default("") });

/** Too many requests for now. */
const throttles = new Set([
  "EC2ThrottledException",
  "RequestLimitExceeded",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
]);
/** Too many things: room comes when others end, or with a higher quota. */
const quotas = new Set([
  "AccessPointLimitExceeded",
  "LimitExceededException",
  "SecurityGroupLimitExceeded",
  "ServiceQuotaExceededException",
]);
/** How ECS says the same in words, under more general names. */
const noRoom = /limit on the number of|capacity is unavailable|insufficient capacity/i;

export function hasName(thrown: unknown, ...names: readonly string[]): boolean {
  const parsed = named.safeParse(thrown);
  return parsed.success && names.includes(parsed.data.name);
}

const answered = z.object({ $metadata: z.object({ httpStatusCode: z.number().max(499) }) });

/** The call may have done its work all the same: there was no answer, or one that does not say. */
export function isUnknown(thrown: unknown): boolean {
  return !(thrown instanceof BulkheadError) && !answered.safeParse(thrown).success;
}

const service = "The container service";

/** What a failed launch means: CAPACITY_EXHAUSTED where a rate or a quota was reached, else as any failed call. */
export function launchFailure(thrown: unknown): BulkheadError {
  if (thrown instanceof BulkheadError) return thrown;
  const { name, message } = named.safeParse(thrown).data ?? { name: "", message: "" };
  // First: ECS reports a quota of vCPUs as throttling.
  if (quotas.has(name) || noRoom.test(message)) return full(thrown, 30);
  return throttles.has(name) ? full(thrown, 5) : serviceFailure(service, thrown);
}

export function full(cause: unknown, retryAfterSeconds: number): BulkheadError {
  return new BulkheadError(
    "CAPACITY_EXHAUSTED",
    "The account has no room for another instance now. Try again in a moment.",
    { cause, details: { retry_after_seconds: retryAfterSeconds } },
  );
}

/** Runs a call to ECS, EC2 or EFS: what fails becomes a typed error. */
export function callProvider<T>(run: () => Promise<T>): Promise<T> {
  return callService(service, run);
}

/** Runs a call; errors of these names are what was wanted. */
export async function unless(names: readonly string[], run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (thrown) {
    if (!hasName(thrown, ...names)) throw thrown;
  }
}
