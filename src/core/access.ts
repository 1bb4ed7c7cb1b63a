import { BulkheadError } from "#contracts/errors.ts";
import { type KeyScope, keyScopes, type Principal } from "./model.ts";

/** Scopes are ordered: a stronger one includes the weaker ones. @throws BulkheadError FORBIDDEN */
export function requireScope(principal: Principal, needed: KeyScope): void {
  const rank = Math.max(-1, ...principal.scopes.map((scope) => keyScopes.indexOf(scope)));
  if (rank >= keyScopes.indexOf(needed)) return;
  throw new BulkheadError("FORBIDDEN", `This API key may not do that: it needs the scope "${needed}".`, {
    details: { needed, scopes: principal.scopes },
  });
}
