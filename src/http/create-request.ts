import type { CreateSandboxRequest } from "#contracts/control/sandboxes.ts";
import { defaultSecretUse } from "#contracts/control/secrets.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { askedPolicy, closedPolicy } from "#core/network/policy.ts";
import type { CreateInput } from "#core/sandboxes.ts";

type Secrets = NonNullable<CreateSandboxRequest["secrets"]>;

/** A create body in the core's words. @throws BulkheadError MISSING_PARAMETER without a template */
export function createInput(body: CreateSandboxRequest): CreateInput {
  return {
    template: templateOf(body),
    timeoutSeconds: body.timeout_seconds || null,
    ...(body.idle_timeout_seconds != null && { idleTimeoutSeconds: body.idle_timeout_seconds }),
    ...(body.max_lifetime_seconds != null && { maxLifetimeSeconds: body.max_lifetime_seconds }),
    ...networkOf(body),
    env: body.env_vars ?? {},
    ...(body.secrets != null && secretsOf(distinct(body.secrets, body.env_vars ?? {}))),
  };
}

/** @throws BulkheadError INVALID_REQUEST when the switch and the policy say different things */
function networkOf({ internet_access: access, network }: CreateSandboxRequest): Pick<CreateInput, "network"> {
  if (network == null) return access === false ? { network: closedPolicy } : {};
  if (access === false && network.mode !== "deny-all") {
    throw new BulkheadError(
      "INVALID_REQUEST",
      "internet_access is false, and network lets connections out. Keep one of them.",
      {
        details: { issues: [{ path: "network.mode", message: "internet_access: false is deny-all" }] },
      },
    );
  }
  return { network: askedPolicy(network) };
}

function secretsOf(secrets: Secrets): Pick<CreateInput, "secrets" | "brokered"> {
  const env = Object.entries(secrets).filter(([, secret]) => secret.deliver === "env");
  const brokered = Object.entries(secrets).flatMap(([name, { deliver, from, hosts, as }]) =>
    deliver === "broker" ? [{ name, reference: from, hosts: hosts ?? [], use: as ?? defaultSecretUse }] : [],
  );
  return {
    ...(env.length > 0 && { secrets: Object.fromEntries(env.map(([name, { from }]) => [name, from])) }),
    ...(brokered.length > 0 && { brokered }),
  };
}

/** @throws BulkheadError INVALID_REQUEST for a name that is given as variable and as secret */
function distinct(secrets: Secrets, env: Readonly<Record<string, string>>): Secrets {
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
