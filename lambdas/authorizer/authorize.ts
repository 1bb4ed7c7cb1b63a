import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from "aws-lambda";
import { BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import type { Principal } from "#core/model.ts";

/** The part of the event that is read. */
export type AuthorizerEvent = Pick<APIGatewayRequestAuthorizerEvent, "headers" | "methodArn">;

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
  authenticate: (rawKey: string) => Promise<Principal>,
): Promise<APIGatewayAuthorizerResult> {
  const rawKey = keyOf(event.headers ?? {});
  try {
    if (rawKey === undefined) throw missing;
    const { projectId, keyId, scopes } = await authenticate(rawKey);
    return answer(event, "Allow", keyId, { projectId, keyId, scopes: scopes.join(",") });
  } catch (thrown) {
    const { status, code, message } = toBulkheadError(thrown);
    if (status !== 401) throw thrown;
    return answer(event, "Deny", "nobody", { code, message });
  }
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
