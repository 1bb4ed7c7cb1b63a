import * as z from "zod";
import { environmentSchema, scopeSchema } from "#contracts/access.ts";
import { networkModes, networkSources } from "#contracts/control/network.ts";
import { endReasons, enforcementSchema, resourcesSchema, sandboxStatuses } from "#contracts/domain.ts";
import { instanceStates } from "#core/model.ts";
import { closedPolicy, openPolicy } from "#core/network/policy.ts";

/** Raise with a shape of a stored item: test/contract/shapes.test.ts compares each with the one that was last released. */
export const schemaVersion = 5;

const at = z.number();

const askedPolicyShape = {
  mode: z.enum(networkModes),
  rules: z.array(
    z.object({
      host: z.string().optional(),
      cidr: z.string().optional(),
      ports: z.array(z.union([z.number(), z.string()])).optional(),
      methods: z.array(z.string()).optional(),
      paths: z.array(z.string()).optional(),
      inspect: z.boolean().optional(),
    }),
  ),
  envSecrets: z.boolean(),
  aws: z.array(z.object({ actions: z.array(z.string()), resources: z.array(z.string()) })),
};

const sandboxShape = z.object({
  id: z.string(),
  projectId: z.string(),
  createdByKeyId: z.string(),
  templateName: z.string(),
  templateId: z.string(),
  region: z.string(),
  status: z.enum(sandboxStatuses),
  statusDeadlineAt: at.nullable(),
  instanceId: z.string().nullable(),
  /** Absent before schema version 3. */
  diskId: z.string().nullable().default(null),
  resources: resourcesSchema,
  enforced: enforcementSchema.nullable(),
  internetAccess: z.boolean(),
  /** Absent before schema version 4. */
  network: z
    .object({ version: z.number(), source: z.enum(networkSources), updatedAt: at, ...askedPolicyShape })
    .optional(),
  brokered: z
    .array(
      z.object({
        name: z.string(),
        placeholder: z.string(),
        reference: z.string(),
        hosts: z.array(z.string()),
        use: z.string(),
      }),
    )
    .default([]),
  secretNames: z.array(z.string()).default([]),
  /** The next three are absent before schema version 5. */
  environment: environmentSchema.nullable().default(null),
  ports: z
    .array(
      z.object({
        port: z.number(),
        visibility: z.enum(["public", "link"]),
        publishedAt: at,
        linkGeneration: z.number(),
      }),
    )
    .default([]),
  quarantine: z
    .object({
      at,
      by: z.string(),
      reason: z.string(),
      until: at,
      before: z.enum(["running", "paused", "stopped"]),
    })
    .nullable()
    .default(null),
  deadlines: z.object({
    timeoutSeconds: z.number().nullable(),
    timeoutAt: at.nullable(),
    idleTimeoutSeconds: z.number(),
    maxLifetimeSeconds: z.number(),
    lifetimeAt: at,
  }),
  createdAt: at,
  startedAt: at.nullable(),
  lastActivityAt: at,
  endedAt: at.nullable(),
  endReason: z.enum(endReasons).nullable(),
  /** Absent before schema version 2. */
  sealedEnv: z.string().nullable().default(null),
  tokenGeneration: z.number(),
  version: z.number(),
  expiresAtSeconds: z.number().nullable(),
});

/** One of a version before 4 has the policy that its switch stood for. */
export const sandboxItemSchema = sandboxShape.transform((item) => ({
  ...item,
  network: item.network ?? {
    ...(item.internetAccess ? openPolicy : closedPolicy),
    version: 1,
    source: "create" as const,
    updatedAt: item.createdAt,
  },
}));

export const instanceItemSchema = z.object({
  id: z.string(),
  templateName: z.string(),
  state: z.enum(instanceStates),
  stateDeadlineAt: at.nullable(),
  sandboxId: z.string().nullable(),
  /** Absent before schema version 3. */
  diskId: z.string().nullable().default(null),
  providerId: z.string().nullable(),
  endpoint: z
    .union([
      z.object({ kind: z.literal("unix"), path: z.string() }),
      z.object({
        kind: z.literal("tcp"),
        host: z.string(),
        port: z.number(),
        fingerprint: z.string().optional(),
        egressKeyHash: z.string().optional(),
      }),
    ])
    .nullable(),
  resources: resourcesSchema,
  enforced: enforcementSchema.nullable(),
  createdAt: at,
  version: z.number(),
  expiresAtSeconds: z.number().nullable(),
});

export const templateItemSchema = z.object({
  id: z.string(),
  name: z.string(),
  displayName: z.string(),
  description: z.string(),
  category: z.string(),
  language: z.string(),
  status: z.enum(["pending", "building", "active", "failed"]),
  problem: z.string().nullable(),
  resources: resourcesSchema,
  features: z.array(z.string()),
  tags: z.array(z.string()),
  idleTimeoutSeconds: z.number().nullable(),
  maxLifetimeSeconds: z.number().nullable(),
  /** Absent before schema version 4. */
  network: z.object(askedPolicyShape).nullable().default(null),
  createdAt: at,
  updatedAt: at,
});

export const keyItemSchema = z.object({
  id: z.string(),
  hash: z.string(),
  name: z.string(),
  projectId: z.string(),
  scopes: z.array(scopeSchema),
  /** The next five are absent before schema version 5. */
  environment: environmentSchema.nullable().default(null),
  rotateAt: at.nullable().default(null),
  replacedBy: z.string().nullable().default(null),
  limits: z
    .object({
      maxSandboxes: z.number().nullable(),
      createsPerMinute: z.number().nullable(),
      requestsPerMinute: z.number().nullable(),
    })
    .nullable()
    .default(null),
  decoyFor: z.string().nullable().default(null),
  createdAt: at,
  expiresAt: at.nullable(),
  revokedAt: at.nullable(),
  lastUsedAt: at.nullable(),
});

export const auditItemSchema = z.object({
  at,
  id: z.string(),
  projectId: z.string(),
  actor: z.string(),
  /** Absent before schema version 5, as `latencyMs`. */
  scopes: z.array(z.string()).default([]),
  latencyMs: z.number().nullable().default(null),
  action: z.string(),
  target: z.string().nullable(),
  outcome: z.enum(["allowed", "refused", "failed"]),
  requestId: z.string().nullable(),
  sourceIp: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
});

export const idempotencyItemSchema = z.object({
  projectId: z.string(),
  key: z.string(),
  bodyHash: z.string(),
  sandboxId: z.string(),
  expiresAtSeconds: z.number(),
});

export const quotaItemSchema = z.object({ inUse: z.number() });
