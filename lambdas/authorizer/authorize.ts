import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from "aws-lambda";
import { BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import type { KeyShown } from "#core/keys/check.ts";
import type { Principal } from "#core/model.ts";

/** The part of the event that is read. */
export type AuthorizerEvent = Pick<APIGatewayRequestAuthorizerEvent, "headers" | "methodArn"> & {
  readonly requestContext?: { readonly requestId?: string; readonly identity?: { readonly sourceIp?: string | null } };
};

/** What the door has decided, and for the record why not. */
export interface Authorized {
  readonly answer: APIGatewayAuthorizerResult;
  readonly refusal?: BulkheadError;
}

const missing = new BulkheadError(
  "AUTHENTICATION_REQUIRED",
  "Send an API key as X-API-Key or as Authorization: Bearer <key>.",
);

/**
 * Lets the holder of a valid key in, for this request only, and says to the function behind who it is. A refusal carries code and
 * message for the gateway's answer. Any other failure is thrown: API Gateway then answers 500 and remembers nothing.
 */
export async function authorize(
  event: AuthorizerEvent,
  authenticate: (rawKey: string, shown: KeyShown) => Promise<Principal>,
): Promise<Authorized> {
  const rawKey = keyOf(event.headers ?? {});
  try {
    if (rawKey === undefined) throw missing;
    const shown = { sourceIp: sourceIpOf(event), plane: "control" as const };
    const { projectId, keyId, scopes, environment, limits = null } = await authenticate(rawKey, shown);
    const who = {
      projectId,
      keyId,
      scopes: scopes.join(","),
      ...(environment !== null && { environment }),
      ...(limits !== null && { limits: JSON.stringify(limits) }),
    };
    return { answer: answer(event, "Allow", keyId, who) };
  } catch (thrown) {
    const refusal = toBulkheadError(thrown);
    const { status, code, message } = refusal;
    if (status !== 401 && status !== 429) throw thrown;
    return { answer: answer(event, "Deny", "nobody", { code, message }), refusal };
  }
}

export function sourceIpOf({ requestContext }: AuthorizerEvent): string | null {
  return requestContext?.identity?.sourceIp ?? null;
}

/** Header names arrive as the caller wrote them. Both doors of the key (contract rule 3); the first wins. */
function keyOf(headers: Readonly<Record<string, string | undefined>>): string | undefined {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const direct = lower.get("x-api-key")?.trim();
  if (direct) return direct;
  return /^bearer +(\S+) *$/i.exec(lower.get("authorization") ?? "")?.[1];
}

function answer(
  event: AuthorizerEvent,
  effect: "Allow" | "Deny",
  principalId: string,
  context: Readonly<Record<string, string>>,
): APIGatewayAuthorizerResult {
  return {
    principalId,
    policyDocument: {
      Version: "2012-10-17",
      Statement: [{ Action: "execute-api:Invoke", Effect: effect, Resource: event.methodArn }],
    },
    context: { ...context },
  };
}
