import { BulkheadError } from "#contracts/errors.ts";
import { requireAccess } from "./access.ts";
import { type Audit, operationOf } from "./audit.ts";
import type { Principal, RequestContext } from "./model.ts";
import type { SecretFacts, SecretStore } from "./ports.ts";

/** Secrets of the caller's project. Values go in and never come out. */
export interface SecretService {
  /** @throws BulkheadError RESOURCE_LIMIT_ERROR, INVALID_REQUEST where the platform keeps none itself */
  put(principal: Principal, name: string, value: string, context: RequestContext): Promise<SecretFacts>;
  list(principal: Principal, context: RequestContext): Promise<readonly SecretFacts[]>;
  /** @throws BulkheadError RESOURCE_NOT_FOUND */
  remove(principal: Principal, name: string, context: RequestContext): Promise<void>;
}

/** @param store undefined where a cloud's own store has the secrets */
export function makeSecretService(store: SecretStore | undefined, audit: Audit): SecretService {
  const own = (): SecretStore => {
    if (store !== undefined) return store;
    throw new BulkheadError(
      "INVALID_REQUEST",
      "This deployment takes its secrets from AWS Secrets Manager. Make one with: aws secretsmanager create-secret --name <deployment>/<project>/<name> --secret-string file://value --tags Key=bulkhead:deployment,Value=<deployment>",
    );
  };
  return {
    put: (principal, name, value, context) =>
      audit.around(operationOf(principal, context, "secret.put", name), () => {
        requireAccess(principal, "secrets:write");
        return own().put(principal.projectId, name, value);
      }),
    list: (principal, context) =>
      audit.aroundRead(operationOf(principal, context, "secret.list", null), async () => {
        requireAccess(principal, "secrets:read");
        return own().list(principal.projectId);
      }),
    remove: (principal, name, context) =>
      audit.around(operationOf(principal, context, "secret.remove", name), async () => {
        requireAccess(principal, "secrets:write");
        if (await own().remove(principal.projectId, name)) return;
        throw new BulkheadError("RESOURCE_NOT_FOUND", `Secret ${name} not found.`);
      }),
  };
}
