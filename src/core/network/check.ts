import { BulkheadError } from "#contracts/errors.ts";
import type { AskedPolicy } from "./policy.ts";
import { sessionPolicy } from "./session-policy.ts";

/** A record holds more than its policy, and is read for each connection. */
const longest = 64 * 1024;

/** What a schema cannot say of a policy. @throws BulkheadError INVALID_REQUEST */
export function checkPolicy(asked: AskedPolicy): void {
  const size = JSON.stringify(asked).length;
  if (size > longest) {
    const message = `The policy is ${size} characters long as JSON; ${longest} fit.`;
    throw new BulkheadError("INVALID_REQUEST", message, { details: { issues: [{ path: "network", message }] } });
  }
  if (asked.aws.length > 0) sessionPolicy(asked.aws);
}
