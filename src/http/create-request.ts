import type { CreateSandboxRequest } from "#contracts/control/sandboxes.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { CreateInput } from "#core/sandboxes.ts";

/** A create body in the core's words. @throws BulkheadError MISSING_PARAMETER without a template */
export function createInput(body: CreateSandboxRequest): CreateInput {
  return {
    template: templateOf(body),
    timeoutSeconds: body.timeout_seconds || null,
    ...(body.idle_timeout_seconds != null && { idleTimeoutSeconds: body.idle_timeout_seconds }),
    ...(body.max_lifetime_seconds != null && { maxLifetimeSeconds: body.max_lifetime_seconds }),
    internetAccess: body.internet_access ?? true,
    env: body.env_vars ?? {},
    ...(body.secrets != null && { secrets: distinct(body.secrets, body.env_vars ?? {}) }),
  };
}

/** @throws BulkheadError INVALID_REQUEST for a name that is given as variable and as secret */
function distinct(secrets: Record<string, string>, env: Readonly<Record<string, string>>): Record<string, string> {
  const both = Object.keys(secrets).filter((name) => Object.hasOwn(env, name));
  if (both.length === 0) return secrets;
  throw new BulkheadError(
    "INVALID_REQUEST",
    `Given in env_vars and in secrets: ${both.join(", ")}. Keep one of them.`,
    {
      details: { issues: both.map((name) => ({ path: `secrets.${name}`, message: "also in env_vars" })) },
    },
  );
}

function templateOf(body: CreateSandboxRequest): CreateInput["template"] {
  if (body.template_id != null) return { id: String(body.template_id) };
  if (body.template_name != null) return { name: body.template_name };
  throw new BulkheadError("MISSING_PARAMETER", "Give template_name or template_id. GET /v1/templates lists them.", {
    details: { issues: [{ path: "template_name", message: "required unless template_id is given" }] },
  });
}

/** The caller's name for this create, null without one. @throws BulkheadError INVALID_REQUEST unless 1 to 255 printable ASCII characters */
export function idempotencyKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  if (/^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new BulkheadError("INVALID_REQUEST", "Idempotency-Key must be 1 to 255 printable ASCII characters.", {
    details: { issues: [{ path: "Idempotency-Key", message: "1 to 255 printable ASCII characters" }] },
  });
}
