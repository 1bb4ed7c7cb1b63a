import { BulkheadError } from "#contracts/errors.ts";
import { decideDeadlines } from "./deadlines.ts";
import type { CoreDeps } from "./deps.ts";
import { statusDeadlineMs } from "./lifecycle.ts";
import type { InstanceRecord, Principal, SandboxRecord, TemplateRecord } from "./model.ts";

/** What a caller asks for. */
export interface CreateInput {
  readonly template: { readonly name: string } | { readonly id: string };
  /** null: none. */
  readonly timeoutSeconds: number | null;
  readonly idleTimeoutSeconds?: number;
  readonly maxLifetimeSeconds?: number;
  readonly internetAccess: boolean;
  /** Values are secrets: handed to the agent, never stored or logged. */
  readonly env: Readonly<Record<string, string>>;
}

/** The record of a sandbox that has no instance yet. */
export function makeDraft(
  deps: CoreDeps,
  principal: Principal,
  input: CreateInput,
  template: TemplateRecord,
  id: string,
): SandboxRecord {
  const now = deps.ports.clock.now();
  return {
    id,
    projectId: principal.projectId,
    createdByKeyId: principal.keyId,
    templateName: template.name,
    templateId: template.id,
    region: deps.config.region,
    status: "creating",
    statusDeadlineAt: now + (statusDeadlineMs.creating ?? 0),
    instanceId: null,
    resources: template.resources,
    enforced: null,
    internetAccess: input.internetAccess,
    deadlines: decideDeadlines(input, template, deps.config, now),
    createdAt: now,
    startedAt: null,
    lastActivityAt: now,
    endedAt: null,
    endReason: null,
    tokenGeneration: 1,
    version: 1,
    expiresAtSeconds: null,
  };
}

/** What a record says once an instance serves it. */
export function running(instance: InstanceRecord, now: number): Partial<SandboxRecord> {
  return {
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
