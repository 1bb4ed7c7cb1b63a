import { type BulkheadError, errorRegistry } from "./errors.ts";

/** What an error answer needs beside the error itself. */
export interface ErrorContext {
  readonly requestId: string;
  /** RFC 3339 UTC with three fractional digits. */
  readonly timestamp: string;
}

/**
 * The control plane's union body (contract §2.4): Python reads the nested object, JavaScript the top level.
 * `details` is always an object: Python's 429 handling dereferences it.
 */
export function controlErrorBody(error: BulkheadError, context: ErrorContext): Record<string, unknown> {
  const core = {
    code: error.code,
    message: error.message,
    request_id: context.requestId,
    retryable: errorRegistry[error.code].retryable,
    details: { ...error.details },
  };
  return {
    error: core,
    ...core,
    ...topLevel(error, ["sandbox_id", "created_at", "expires_at", "status", "end_reason"]),
  };
}

/** The data plane's union body (contract §2.4): `error` is a string here. */
export function agentErrorBody(error: BulkheadError, context: ErrorContext): Record<string, unknown> {
  return {
    error: error.message,
    message: error.message,
    code: error.code,
    request_id: context.requestId,
    retryable: errorRegistry[error.code].retryable,
    timestamp: context.timestamp,
    details: { ...error.details },
    ...topLevel(error, ["path", "sandbox_id", "created_at", "expires_at", "status", "end_reason"]),
  };
}

function topLevel(error: BulkheadError, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => key in error.details).map((key) => [key, error.details[key]]));
}
