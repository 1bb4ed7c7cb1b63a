import { BulkheadError } from "#contracts/errors.ts";
import { invalid } from "../fields.ts";

/** Where a callback goes. What lies behind the name the egress proxy judges, at each attempt. @throws BulkheadError INVALID_REQUEST */
export function callbackTarget(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw invalid("callback_url", "must be an http or https address");
  }
  if (url.username !== "" || url.password !== "") {
    throw invalid("callback_url", "must not hold a user or password; send credentials as callback_headers");
  }
  return url;
}

export function noWayOut(): BulkheadError {
  return new BulkheadError(
    "INVALID_REQUEST",
    "This sandbox has no way out, so nobody could be called back. Use POST /execute/background and ask for the outcome.",
    { details: { field: "callback_url" } },
  );
}
