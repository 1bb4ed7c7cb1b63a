import type { z } from "@hono/zod-openapi";
import "@hono/zod-openapi";
import {
  apiKeyAnswerSchema,
  apiKeyListSchema,
  createApiKeyRequestSchema,
  createdApiKeySchema,
} from "#contracts/control/api-keys.ts";
import { capacitySchema } from "#contracts/control/capacity.ts";
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
import { acknowledgementSchema, errorBodySchema, healthSchema } from "#contracts/control/shared.ts";
import { templateListSchema, templateSchema } from "#contracts/control/templates.ts";

/** A copy, because only schemas that are made after @hono/zod-openapi was loaded can be named, and contracts may come first. */
function named<S extends z.ZodType>(schema: S, name: string): S {
  return schema.clone().openapi(name);
}

/** The contracts' schemas under the names they have in the OpenAPI document. */
export const wire = {
  acknowledgement: named(acknowledgementSchema, "Acknowledgement"),
  apiKeyAnswer: named(apiKeyAnswerSchema, "ApiKeyAnswer"),
  apiKeyList: named(apiKeyListSchema, "ApiKeyList"),
  capacity: named(capacitySchema, "Capacity"),
  createApiKeyRequest: named(createApiKeyRequestSchema, "CreateApiKeyRequest"),
  createSandboxRequest: named(createSandboxRequestSchema, "CreateSandboxRequest"),
  createdApiKey: named(createdApiKeySchema, "CreatedApiKey"),
  createdSandbox: named(createdSandboxSchema, "CreatedSandbox"),
  deletedSandbox: named(deletedSandboxSchema, "DeletedSandbox"),
  error: named(errorBodySchema, "Error"),
  health: named(healthSchema, "Health"),
  sandbox: named(sandboxSchema, "Sandbox"),
  sandboxList: named(sandboxListSchema, "SandboxList"),
  setTimeoutRequest: named(setTimeoutRequestSchema, "SetTimeoutRequest"),
  statusAnswer: named(statusAnswerSchema, "StatusAnswer"),
  template: named(templateSchema, "Template"),
  templateList: named(templateListSchema, "TemplateList"),
  timeout: named(timeoutSchema, "Timeout"),
  token: named(tokenSchema, "SandboxToken"),
};
