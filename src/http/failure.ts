import type { ContentfulStatusCode } from "hono/utils/http-status";
import { controlErrorBody } from "#contracts/error-body.ts";
import { type BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import { hideInError } from "#contracts/hide-in.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { ControlDependencies } from "./dependencies.ts";
import type { ControlContext } from "./request-state.ts";

/** The one mapper from errors to this wire. What went wrong on our side is logged; the caller gets the request id and no foreign text. */
export function answerFailure(
  thrown: unknown,
  c: ControlContext,
  { logger, clock, secretValues }: Pick<ControlDependencies, "logger" | "clock" | "secretValues">,
): Response {
  const projectId = c.get("principal")?.projectId;
  // Nobody's text is compared with another project's secrets: an answer would tell who guessed right.
  const hide = (text: string) => (projectId === undefined ? text : (secretValues?.hide(text, projectId) ?? text));
  const error = hideInError(toBulkheadError(thrown), hide);
  c.set("refusal", error.code);
  const requestId = c.get("requestId");
  if (error.status === 500) logger.error("request failed", { requestId, error: error.cause ?? error });
  else if (error.status > 500) logger.warn("request not served", { requestId, code: error.code, error: error.cause });
  for (const [name, value] of Object.entries(failureHeaders(error))) c.header(name, value);
  return c.json(
    controlErrorBody(error, { requestId, timestamp: toRfc3339(clock.now()) }),
    error.status as ContentfulStatusCode,
  );
}

function failureHeaders(error: BulkheadError): Record<string, string> {
  const { retry_after_seconds: retryAfter, allow } = error.details;
  return {
    ...(typeof retryAfter === "number" && { "Retry-After": String(Math.max(0, Math.ceil(retryAfter))) }),
    ...(error.code === "METHOD_NOT_ALLOWED" && Array.isArray(allow) && { Allow: allow.join(", ") }),
    ...(error.status === 401 && { "WWW-Authenticate": "Bearer" }),
  };
}
