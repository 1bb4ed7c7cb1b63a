/**
 * The closed registry of error codes. A code's HTTP status and whether a caller may repeat the request unchanged
 * stand here once; a code without an entry does not compile. Codes are those of the Hopx contract (§2.6) plus ours.
 */
export interface ErrorSpec {
  /** HTTP status on every wire. Never 5xx for something the user's code did: all clients resend on 5xx (contract rule 19). */
  readonly status: number;
  /** True when the same request may succeed later without a change. */
  readonly retryable: boolean;
}

export const errorRegistry = {
  INVALID_REQUEST: { status: 400, retryable: false },
  INVALID_JSON: { status: 400, retryable: false },
  MISSING_PARAMETER: { status: 400, retryable: false },
  INVALID_PATH: { status: 400, retryable: false },
  UNSUPPORTED_LANGUAGE: { status: 400, retryable: false },
  COMMAND_FAILED: { status: 400, retryable: false },
  EXECUTION_FAILED: { status: 400, retryable: false },
  /** 400 and not 501: clients resend on 5xx (contract §4.6). */
  DESKTOP_NOT_AVAILABLE: { status: 400, retryable: false },
  AUTHENTICATION_REQUIRED: { status: 401, retryable: false },
  INVALID_API_KEY: { status: 401, retryable: false },
  TOKEN_INVALID: { status: 401, retryable: false },
  TOKEN_EXPIRED: { status: 401, retryable: false },
  FORBIDDEN: { status: 403, retryable: false },
  /** The message must contain "limit": Python's client maps it to ResourceLimitError by that word. */
  RESOURCE_LIMIT_ERROR: { status: 403, retryable: false },
  PATH_NOT_ALLOWED: { status: 403, retryable: false },
  PERMISSION_DENIED: { status: 403, retryable: false },
  RESOURCE_NOT_FOUND: { status: 404, retryable: false },
  SANDBOX_NOT_FOUND: { status: 404, retryable: false },
  TEMPLATE_NOT_FOUND: { status: 404, retryable: false },
  FILE_NOT_FOUND: { status: 404, retryable: false },
  DIRECTORY_NOT_FOUND: { status: 404, retryable: false },
  PROCESS_NOT_FOUND: { status: 404, retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false },
  EXECUTION_TIMEOUT: { status: 408, retryable: false },
  CONFLICT: { status: 409, retryable: false },
  FILE_ALREADY_EXISTS: { status: 409, retryable: false },
  /** The sandbox is stopped or paused and the request needs it running. */
  SANDBOX_STOPPED: { status: 409, retryable: false },
  /** The sandbox has ended; the body carries its end reason. */
  SANDBOX_EXPIRED: { status: 410, retryable: false },
  /** The sandbox is on its way to another state; what is asked can be asked again when it is there. */
  SANDBOX_BUSY: { status: 409, retryable: true },
  /** The sandbox is held for inspection. */
  SANDBOX_QUARANTINED: { status: 409, retryable: false },
  PAYLOAD_TOO_LARGE: { status: 413, retryable: false },
  FILE_OPERATION_FAILED: { status: 422, retryable: false },
  /** This host cannot hold a limit the sandbox must have, or the template could not be prepared: no repeat helps, an operator does. */
  HOST_UNSUITABLE: { status: 422, retryable: false },
  /** What the project's live sandboxes have cost this month has reached its cap. The message must contain "limit", as above. */
  SPEND_LIMIT_REACHED: { status: 403, retryable: false },
  /** Nobody has published this port, or the link to it is not valid any more. */
  PORT_NOT_PUBLISHED: { status: 404, retryable: false },
  /** The head of the request is longer than 16 KiB. */
  HEADERS_TOO_LARGE: { status: 431, retryable: false },
  RATE_LIMIT_EXCEEDED: { status: 429, retryable: true },
  INTERNAL_ERROR: { status: 500, retryable: true },
  /** The agent did not answer although the sandbox is thought to run. */
  AGENT_UNREACHABLE: { status: 503, retryable: true },
  /** The sandbox did not become ready within the time a held request may wait. */
  SANDBOX_CREATING: { status: 503, retryable: true },
  /** No room for another instance on this host or in this account. */
  CAPACITY_EXHAUSTED: { status: 503, retryable: true },
  /** The platform cannot do this now (draining, template not prepared, limit not enforceable on this host). */
  SERVICE_UNAVAILABLE: { status: 503, retryable: true },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errorRegistry;

/** Facts about an error that are safe to show to the caller: never secrets, never host paths. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The one error class that crosses layers. Each wire has one mapper from it. */
export class BulkheadError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "BulkheadError";
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return errorRegistry[this.code].status;
  }

  get retryable(): boolean {
    return errorRegistry[this.code].retryable;
  }
}

/** Any thrown value as a BulkheadError. What is unknown becomes INTERNAL_ERROR with the original as `cause` and no text of it. */
export function toBulkheadError(thrown: unknown): BulkheadError {
  if (thrown instanceof BulkheadError) return thrown;
  return new BulkheadError(
    "INTERNAL_ERROR",
    "Internal error. Repeat the request; if it persists, report the request id.",
    {
      cause: thrown,
    },
  );
}
