import { type Environment, type Permission, permissionsOf, type Scope } from "#contracts/access.ts";
import { BulkheadError, type ErrorCode } from "#contracts/errors.ts";
import { makeOnce } from "./once.ts";

/** Who asks for access: an API key, a role, or the holder of a sandbox's token (`only` names the sandbox). */
export interface Caller {
  readonly projectId: string;
  readonly scopes: readonly Scope[];
  /** null: all of the project's. */
  readonly environment: Environment | null;
  /** The one sandbox that the caller may use. @default - every object of the project */
  readonly only?: string;
}

/** What access is asked to. `owner` is undefined where there is no such thing: that looks like another project's. */
export interface AccessObject {
  readonly kind: "sandbox" | "key" | "secret" | "template" | "webhook" | "alert";
  readonly id: string;
  readonly owner: { readonly projectId: string; readonly environment?: Environment | null } | undefined;
}

const missing: Readonly<Record<AccessObject["kind"], { readonly code: ErrorCode; readonly name: string }>> = {
  sandbox: { code: "SANDBOX_NOT_FOUND", name: "Sandbox" },
  key: { code: "RESOURCE_NOT_FOUND", name: "API key" },
  secret: { code: "RESOURCE_NOT_FOUND", name: "Secret" },
  template: { code: "TEMPLATE_NOT_FOUND", name: "Template" },
  webhook: { code: "RESOURCE_NOT_FOUND", name: "Webhook" },
  alert: { code: "RESOURCE_NOT_FOUND", name: "Alert" },
};

const permissionsOnce = makeOnce((scopes: readonly Scope[]) => permissionsOf(scopes));

/**
 * The one place that decides. The permission is looked at first and without the object, so that a caller without it learns nothing of
 * what exists; an object of another project, or of another environment, cannot be told from one that never was.
 * @param object absent: the caller's own project as a whole
 * @throws BulkheadError FORBIDDEN, or the code for a thing of that kind that is not there
 */
export function requireAccess(caller: Caller, permission: Permission, object?: AccessObject): void {
  if (!permissionsOnce(caller.scopes).has(permission)) {
    throw new BulkheadError("FORBIDDEN", `This API key may not do that: it needs the scope "${permission}".`, {
      details: { needed: permission, scopes: caller.scopes },
    });
  }
  if (object === undefined || mayReach(caller, object)) return;
  const { code, name } = missing[object.kind];
  throw new BulkheadError(code, `${name} ${object.id.slice(0, 64)} not found`);
}

/** Whether a caller has a permission, whatever it is asked to. */
export function permitted(caller: Pick<Caller, "scopes">, permission: Permission): boolean {
  return permissionsOnce(caller.scopes).has(permission);
}

function mayReach(caller: Caller, { kind, id, owner }: AccessObject): boolean {
  if (owner === undefined || owner.projectId !== caller.projectId) return false;
  if (caller.only !== undefined && caller.only !== id) return false;
  const environment = owner.environment ?? null;
  // A thing of no environment is everybody's; a key of none is one that reaches all of them.
  if (kind === "key") return caller.environment === null || environment === caller.environment;
  return environment === null || caller.environment === null || environment === caller.environment;
}
