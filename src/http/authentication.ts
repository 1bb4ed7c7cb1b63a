import type { MiddlewareHandler } from "hono";
import { BulkheadError } from "#contracts/errors.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { ControlConfig } from "./dependencies.ts";
import type { ControlEnv } from "./request-state.ts";

/** Both doors of the API key (contract rule 3): `X-API-Key` and `Authorization: Bearer`; the first wins. */
export function authentication(
  keys: ControlPlane["keys"],
  { principal: admitted = () => undefined, sourceIp = () => null }: Pick<ControlConfig, "principal" | "sourceIp"> = {},
): MiddlewareHandler<ControlEnv> {
  return async (c, next) => {
    const principal = admitted(c.env);
    if (principal !== undefined) {
      c.set("principal", principal);
      return next();
    }
    const rawKey = keyOf(c.req.header("x-api-key"), c.req.header("authorization"));
    if (rawKey === undefined) {
      throw new BulkheadError(
        "AUTHENTICATION_REQUIRED",
        "Send an API key as X-API-Key or as Authorization: Bearer <key>.",
      );
    }
    c.set("principal", await keys.authenticate(rawKey, { sourceIp: sourceIp(c.env), plane: "control" }));
    return next();
  };
}

function keyOf(apiKey: string | undefined, authorization: string | undefined): string | undefined {
  const direct = apiKey?.trim();
  if (direct) return direct;
  return /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
}
