import { BulkheadError } from "./errors.ts";

/** What Node's HTTP parser could not read, by its error's code, as an error to answer. */
export function brokenRequest(code: string | undefined): BulkheadError {
  if (code === "HPE_HEADER_OVERFLOW") {
    return new BulkheadError("HEADERS_TOO_LARGE", "The head of the request is too large: 16 KiB with its path.");
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new BulkheadError("EXECUTION_TIMEOUT", "The request did not arrive in time. Send it again.");
  }
  return new BulkheadError("INVALID_REQUEST", "This is not a valid HTTP request. Check its head and size.");
}
