import { BulkheadError } from "#contracts/errors.ts";
import { creatingDeadlineMs } from "./config.ts";
import { decideDeadlines } from "./deadlines.ts";
import type { CoreDeps } from "./deps.ts";
import type { BrokeredSecret, InstanceRecord, Principal, SandboxRecord, TemplateRecord } from "./model.ts";
import { checkPolicy } from "./network/check.ts";
import { type AskedPolicy, letsOut } from "./network/policy.ts";
import { decideNetwork } from "./network/start.ts";
import { makePlaceholder } from "./placeholder.ts";

/** What a caller asks for. */
export interface CreateInput {
  readonly template: { readonly name: string } | { readonly id: string };
  /** null: none. */
  readonly timeoutSeconds: number | null;
  readonly idleTimeoutSeconds?: number;
  readonly maxLifetimeSeconds?: number;
  /** undefined: what the template or the deployment says. */
  readonly network?: AskedPolicy | undefined;
  /** Values are secrets: handed to the agent, never stored in the clear, never logged. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables whose values are secrets kept elsewhere: references by name (`Vault.resolve`). */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Secrets that the sandbox may use and never sees. */
  readonly brokered?: readonly Omit<BrokeredSecret, "placeholder">[];
}

/**
 * How long after its last possible moment a record of something live may vanish by TTL: the third of three sides that end it
 * (design §5), for when the other two failed for a day.
 */
export const backstopSeconds = 86_400;

/** The record of a sandbox that has no instance yet. */
export function makeDraft(
  deps: CoreDeps,
  principal: Principal,
  input: CreateInput,
  template: TemplateRecord,
  id: string,
): SandboxRecord {
  const now = deps.ports.clock.now();
  const deadlines = decideDeadlines(input, template, deps.config, now);
  if (input.network !== undefined) checkPolicy(input.network);
  const network = decideNetwork(input.network, template, deps.config, now);
  return {
    id,
    projectId: principal.projectId,
    environment: principal.environment,
    createdByKeyId: principal.keyId,
    templateName: template.name,
    templateId: template.id,
    region: deps.config.region,
    status: "creating",
    statusDeadlineAt: now + creatingDeadlineMs(deps.config),
    instanceId: null,
    diskId: null,
    resources: template.resources,
    enforced: null,
    internetAccess: letsOut(network),
    network,
    brokered: (input.brokered ?? []).map((secret) => ({ ...secret, placeholder: makePlaceholder(deps.ports.clock) })),
    secretNames: Object.keys(input.secrets ?? {}),
    ports: [],
    quarantine: null,
    deadlines,
    createdAt: now,
    startedAt: null,
    lastActivityAt: now,
    endedAt: null,
    endReason: null,
    sealedEnv: null,
    tokenGeneration: 1,
    version: 1,
    expiresAtSeconds: Math.ceil(deadlines.lifetimeAt / 1000) + backstopSeconds,
  };
}

/** What a record says once an instance serves it. */
export function running(instance: InstanceRecord, now: number): Partial<SandboxRecord> {
  return {
    sealedEnv: null,
    status: "running",
    statusDeadlineAt: null,
    instanceId: instance.id,
    enforced: instance.enforced,
    startedAt: now,
    lastActivityAt: now,
  };
}

/** @throws BulkheadError TEMPLATE_NOT_FOUND, SERVICE_UNAVAILABLE while it is prepared, HOST_UNSUITABLE when that failed */
export async function findTemplate(deps: CoreDeps, asked: CreateInput["template"]): Promise<TemplateRecord> {
  const nameOrId = "name" in asked ? asked.name : asked.id;
  const template = await deps.ports.templates.get(nameOrId);
  if (template === undefined) {
    throw new BulkheadError(
      "TEMPLATE_NOT_FOUND",
      `Template ${nameOrId} not found. List the templates with GET /v1/templates.`,
    );
  }
  if (template.status === "active") return template;
  const details = { template: template.name, template_status: template.status };
  if (template.status === "failed") {
    throw new BulkheadError("HOST_UNSUITABLE", template.problem ?? `Template ${template.name} could not be prepared.`, {
      details,
    });
  }
  throw new BulkheadError(
    "SERVICE_UNAVAILABLE",
    template.problem ?? `Template ${template.name} is still being prepared. Try again in a minute.`,
    { details: { ...details, retry_after_seconds: 10 } },
  );
}
