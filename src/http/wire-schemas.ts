import type { z } from "@hono/zod-openapi";
import "@hono/zod-openapi";
import { alertAnswerSchema, alertListSchema } from "#contracts/control/alerts.ts";
import {
  apiKeyAnswerSchema,
  apiKeyListSchema,
  createApiKeyRequestSchema,
  createdApiKeySchema,
  rotateApiKeyRequestSchema,
} from "#contracts/control/api-keys.ts";
import {
  auditExportSchema,
  auditKeySchema,
  auditListSchema,
  checkpointAnswerSchema,
  checkpointsSchema,
} from "#contracts/control/audit.ts";
import { capacitySchema } from "#contracts/control/capacity.ts";
import { egressListSchema } from "#contracts/control/egress.ts";
import { evidenceSchema } from "#contracts/control/evidence.ts";
import { networkAnswerSchema, putNetworkSchema } from "#contracts/control/network.ts";
import { quarantineAnswerSchema, quarantineRequestSchema } from "#contracts/control/quarantine.ts";
import {
  createdSandboxSchema,
  createSandboxRequestSchema,
  deletedSandboxSchema,
  sandboxListSchema,
  sandboxSchema,
  setTimeoutRequestSchema,
  statusAnswerSchema,
  timeoutSchema,
  tokenSchema,
} from "#contracts/control/sandboxes.ts";
import { putSecretSchema, removedSecretSchema, secretListSchema, secretSchema } from "#contracts/control/secrets.ts";
import { acknowledgementSchema, errorBodySchema, healthSchema } from "#contracts/control/shared.ts";
import { templateListSchema, templateSchema } from "#contracts/control/templates.ts";

/** A copy, because only schemas that are made after @hono/zod-openapi was loaded can be named, and contracts may come first. */
function named<S extends z.ZodType>(schema: S, name: string): S {
  return schema.clone().openapi(name);
}

/** The contracts' schemas under the names they have in the OpenAPI document. */
export const wire = {
  acknowledgement: named(acknowledgementSchema, "Acknowledgement"),
  alertAnswer: named(alertAnswerSchema, "AlertAnswer"),
  alertList: named(alertListSchema, "AlertList"),
  apiKeyAnswer: named(apiKeyAnswerSchema, "ApiKeyAnswer"),
  apiKeyList: named(apiKeyListSchema, "ApiKeyList"),
  auditExport: named(auditExportSchema, "AuditExport"),
  auditKey: named(auditKeySchema, "AuditKey"),
  auditList: named(auditListSchema, "AuditList"),
  checkpointAnswer: named(checkpointAnswerSchema, "CheckpointAnswer"),
  checkpoints: named(checkpointsSchema, "Checkpoints"),
  capacity: named(capacitySchema, "Capacity"),
  createApiKeyRequest: named(createApiKeyRequestSchema, "CreateApiKeyRequest"),
  createSandboxRequest: named(createSandboxRequestSchema, "CreateSandboxRequest"),
  createdApiKey: named(createdApiKeySchema, "CreatedApiKey"),
  createdSandbox: named(createdSandboxSchema, "CreatedSandbox"),
  deletedSandbox: named(deletedSandboxSchema, "DeletedSandbox"),
  egressList: named(egressListSchema, "EgressList"),
  error: named(errorBodySchema, "Error"),
  evidence: named(evidenceSchema, "Evidence"),
  health: named(healthSchema, "Health"),
  networkAnswer: named(networkAnswerSchema, "NetworkPolicy"),
  putNetwork: named(putNetworkSchema, "PutNetworkPolicy"),
  putSecret: named(putSecretSchema, "PutSecret"),
  quarantineAnswer: named(quarantineAnswerSchema, "Quarantine"),
  quarantineRequest: named(quarantineRequestSchema, "QuarantineRequest"),
  removedSecret: named(removedSecretSchema, "RemovedSecret"),
  rotateApiKeyRequest: named(rotateApiKeyRequestSchema, "RotateApiKeyRequest"),
  sandbox: named(sandboxSchema, "Sandbox"),
  sandboxList: named(sandboxListSchema, "SandboxList"),
  secret: named(secretSchema, "Secret"),
  secretList: named(secretListSchema, "SecretList"),
  setTimeoutRequest: named(setTimeoutRequestSchema, "SetTimeoutRequest"),
  statusAnswer: named(statusAnswerSchema, "StatusAnswer"),
  template: named(templateSchema, "Template"),
  templateList: named(templateListSchema, "TemplateList"),
  timeout: named(timeoutSchema, "Timeout"),
  token: named(tokenSchema, "SandboxToken"),
};
