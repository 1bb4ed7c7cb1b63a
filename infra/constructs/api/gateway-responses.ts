import { GatewayResponse, ResponseType, type RestApi } from "aws-cdk-lib/aws-apigateway";
import { controlErrorBody } from "#contracts/error-body.ts";
import { BulkheadError, type ErrorCode, errorRegistry } from "#contracts/errors.ts";

/** Who may come in by a door. */
export type DoorKind = "key" | "iam";

/** Seconds that a throttled caller is told to wait. */
const retryAfterSeconds = 2;

interface Answer {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

const broken: Answer = {
  code: "INTERNAL_ERROR",
  message: "Internal error. Repeat the request; if it persists, report the request id.",
};
const slow: Answer = {
  code: "SERVICE_UNAVAILABLE",
  message: "The control plane did not answer in time. Repeat the request in a moment.",
};
const throttled: Answer = {
  code: "RATE_LIMIT_EXCEEDED",
  message: `Too many requests. Repeat in ${retryAfterSeconds} s.`,
  details: { retry_after_seconds: retryAfterSeconds },
};
const nothing: Answer = {
  code: "RESOURCE_NOT_FOUND",
  message: "There is nothing at this path. GET /v1/openapi.json lists all routes.",
};
const unsigned: Answer = {
  code: "AUTHENTICATION_REQUIRED",
  message: "Sign the request with AWS Signature Version 4 for the service execute-api.",
};

/** Answers that API Gateway gives by itself; everything else is answered by a function. */
function answersOf(door: DoorKind): readonly (readonly [ResponseType, Answer])[] {
  const iam = door === "iam";
  return [
    [
      ResponseType.BAD_REQUEST_BODY,
      { code: "INVALID_REQUEST", message: "The body does not fit: see GET /v1/openapi.json." },
    ],
    [
      ResponseType.BAD_REQUEST_PARAMETERS,
      { code: "INVALID_REQUEST", message: "A parameter is missing: see GET /v1/openapi.json." },
    ],
    [ResponseType.UNSUPPORTED_MEDIA_TYPE, { code: "INVALID_REQUEST", message: "Send application/json." }],
    [ResponseType.REQUEST_TOO_LARGE, { code: "PAYLOAD_TOO_LARGE", message: "The request is too large." }],
    [ResponseType.RESOURCE_NOT_FOUND, nothing],
    // Where a door wants a signature, this is what API Gateway calls a request without one.
    [ResponseType.MISSING_AUTHENTICATION_TOKEN, iam ? unsigned : nothing],
    [ResponseType.INVALID_SIGNATURE, unsigned],
    [
      ResponseType.EXPIRED_TOKEN,
      { code: "TOKEN_EXPIRED", message: "The request was signed with credentials that have expired." },
    ],
    [
      ResponseType.UNAUTHORIZED,
      iam
        ? unsigned
        : {
            code: "AUTHENTICATION_REQUIRED",
            message: "Send an API key as X-API-Key or as Authorization: Bearer <key>.",
          },
    ],
    [
      ResponseType.WAF_FILTERED,
      { code: "FORBIDDEN", message: "The request was refused by the web application firewall." },
    ],
    [ResponseType.THROTTLED, throttled],
    [ResponseType.QUOTA_EXCEEDED, throttled],
    [ResponseType.INTEGRATION_TIMEOUT, slow],
    [ResponseType.INTEGRATION_FAILURE, slow],
    [ResponseType.AUTHORIZER_FAILURE, slow],
    [ResponseType.AUTHORIZER_CONFIGURATION_ERROR, broken],
    [ResponseType.API_CONFIGURATION_ERROR, broken],
  ];
}

/** Gives API Gateway's own answers the body that clients parse (contract §2.4). No answer repeats anything of the request. */
export function addGatewayResponses(api: RestApi, door: DoorKind): void {
  const add = (type: ResponseType, statusCode: string | null, template: string, headers: Record<string, string> = {}) =>
    new GatewayResponse(api, `Answer${type.responseType}`, {
      restApi: api,
      type,
      ...(statusCode !== null && { statusCode }),
      templates: { "application/json": template },
      responseHeaders: { "X-Request-ID": "context.requestId", ...headers },
    });
  for (const [type, answer] of answersOf(door)) {
    const headers = answer === throttled ? { "Retry-After": `'${retryAfterSeconds}'` } : undefined;
    add(type, String(errorRegistry[answer.code].status), templateOf(answer), headers);
  }
  if (door === "key") add(ResponseType.ACCESS_DENIED, "401", refusalTemplate());
  else
    add(
      ResponseType.ACCESS_DENIED,
      "403",
      templateOf({ code: "FORBIDDEN", message: "Your role may not call this route." }),
    );
  // Whatever is not named above keeps the status that API Gateway gives it.
  add(ResponseType.DEFAULT_4XX, null, templateOf({ code: "INVALID_REQUEST", message: "The request was refused." }));
  add(ResponseType.DEFAULT_5XX, null, templateOf(broken));
}

function templateOf({ code, message, details }: Answer): string {
  const error = new BulkheadError(code, message, details === undefined ? {} : { details });
  return JSON.stringify(controlErrorBody(error, { requestId: "$context.requestId", timestamp: "" }));
}

/** The authorizer's refusal: code and message are texts of ours, without quotes. */
function refusalTemplate(): string {
  const text = templateOf({ code: "INVALID_API_KEY", message: "$context.authorizer.message" });
  return text.replaceAll('"INVALID_API_KEY"', '"$context.authorizer.code"');
}
