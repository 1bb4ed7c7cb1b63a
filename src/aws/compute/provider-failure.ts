import { z } from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import { serviceFailure } from "../service-failure.ts";

/** Refusals that mean "not now, or not more of them" rather than "never". */
const quotaErrors = new Set([
  "AccessPointLimitExceeded",
  "SecurityGroupLimitExceeded",
  "RulesPerSecurityGroupLimitExceeded",
  "ServiceQuotaExceededException",
  "LimitExceededException",
  "ThrottlingException",
  "Throttling",
  "RequestLimitExceeded",
]);

const named = z.object({ name: z.string(), message: z.string().default("") });

export function hasName(thrown: unknown, ...names: readonly string[]): boolean {
  const parsed = named.safeParse(thrown);
  return parsed.success && names.includes(parsed.data.name);
}

/** What a failed call to ECS, EC2 or EFS means. A quota or a rate that was reached is CAPACITY_EXHAUSTED: it passes. */
export function providerFailure(thrown: unknown): BulkheadError {
  const { name, message } = named.safeParse(thrown).data ?? { name: "", message: "" };
  if (quotaErrors.has(name) || /limit on the number of|capacity is unavailable/i.test(message)) return full(thrown);
  return serviceFailure("The container service", thrown);
}

export function full(cause: unknown): BulkheadError {
  return new BulkheadError("CAPACITY_EXHAUSTED", "The account has no room for another instance now. Try again in a moment.", {
    cause,
    details: { retry_after_seconds: 10 },
  });
}

/** Runs a call: what fails becomes a typed error, except errors of these names, which are answered with undefined. */
export async function callProvider<T>(run: () => Promise<T>, ...expected: readonly string[]): Promise<T | undefined> {
  try {
    return await run();
  } catch (thrown) {
    if (hasName(thrown, ...expected)) return undefined;
    throw providerFailure(thrown);
  }
}
