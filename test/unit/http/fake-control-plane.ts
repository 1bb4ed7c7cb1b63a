import { expect } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import type { ApiKeyRecord, Principal, SandboxRecord, TemplateRecord } from "#core/model.ts";
import { makeControlApp } from "#http/app.ts";
import type { ControlPlane } from "#http/control-plane.ts";
import type { ControlConfig, ControlDependencies } from "#http/dependencies.ts";
import type { LogFields, Logger } from "#telemetry/logger.ts";
import { aNetwork } from "#test/support/fixtures.ts";

export const key = `hopx_live_AbCdEf123456.${"k".repeat(43)}`;
export const id = "1763382095abcdefghij";
export const unknownId = "1763382095zzzzzzzzzz";
export const principal: Principal = { projectId: "p1", keyId: "AbCdEf123456", scopes: ["admin"], environment: null };
export const now = Date.UTC(2026, 10, 22, 12, 0, 0, 7);

const enforced = {
  cpu: "cgroup-v2",
  memory: "cgroup-v2",
  pids: "cgroup-v2",
  disk: "ext4",
  network: "namespace",
  identity: "two-uid",
  syscalls: "seccomp",
};

export function aSandbox(over: Partial<SandboxRecord> = {}): SandboxRecord {
  return {
    id,
    projectId: "p1",
    createdByKeyId: principal.keyId,
    templateName: "code-interpreter",
    templateId: "2",
    region: "local",
    status: "running",
    statusDeadlineAt: null,
    diskId: null,
    instanceId: "iabcdefghijklmnop",
    resources: { vcpu: 2, memory_mb: 1024, disk_mb: 2048 },
    enforced,
    internetAccess: true,
    network: aNetwork(),
    brokered: [],
    secretNames: [],
    environment: null,
    ports: [],
    quarantine: null,
    deadlines: {
      timeoutSeconds: 600,
      timeoutAt: now + 600_000,
      idleTimeoutSeconds: 3600,
      maxLifetimeSeconds: 86_400,
      lifetimeAt: now + 86_400_000,
    },
    createdAt: now,
    startedAt: now,
    lastActivityAt: now,
    endedAt: null,
    endReason: null,
    sealedEnv: null,
    tokenGeneration: 1,
    version: 1,
    expiresAtSeconds: null,
    ...over,
  };
}

export const template: TemplateRecord = {
  id: "2",
  name: "code-interpreter",
  displayName: "Code interpreter",
  description: "Python with the usual libraries",
  category: "development",
  language: "python",
  status: "active",
  problem: null,
  resources: { vcpu: 2, memory_mb: 1024, disk_mb: 1500 },
  features: ["rich-output"],
  tags: [],
  idleTimeoutSeconds: null,
  maxLifetimeSeconds: null,
  network: null,
  createdAt: now,
  updatedAt: now,
};

export function aKey(over: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    id: "AbCdEf123456",
    hash: "h".repeat(43),
    name: "dev",
    projectId: "p1",
    scopes: ["admin"],
    createdAt: now,
    expiresAt: null,
    environment: null,
    rotateAt: null,
    replacedBy: null,
    limits: null,
    decoyFor: null,
    revokedAt: null,
    lastUsedAt: null,
    ...over,
  };
}

/** `expect`'s matchers are typed `any`; these are not. */
export const aText = (matching: RegExp): unknown => expect.stringMatching(matching);
export const anything = (): unknown => expect.anything();

export interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

type Overrides = { readonly [K in keyof ControlPlane]?: Partial<ControlPlane[K]> };

function recording<T extends object>(group: string, calls: Call[], target: T): T {
  return new Proxy(target, {
    get(of, name, receiver) {
      const value: unknown = Reflect.get(of, name, receiver);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        calls.push({ name: `${group}.${String(name)}`, args });
        return Reflect.apply(value, of, args);
      };
    },
  });
}

/** An app on a control plane that knows one key, one sandbox and one template; `calls` is what the app asked of it. */
export function makeHarness(
  overrides: Overrides = {},
  config: Partial<ControlConfig> = {},
  more: Pick<ControlDependencies, "secretValues"> = {},
) {
  const calls: Call[] = [];
  const noted: Parameters<ControlPlane["audit"]["note"]>[] = [];
  const lines: { level: string; message: string; fields: LogFields }[] = [];
  const log = (level: string) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, fields: fields ?? {} });
  };
  const logger: Logger = {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: () => logger,
  };
  const find = async (_: Principal, asked: string): Promise<SandboxRecord> => {
    if (asked === id) return aSandbox();
    throw new BulkheadError("SANDBOX_NOT_FOUND", `Sandbox ${asked} not found`);
  };
  let issued = 0;
  const issue = () => ({ token: `token-${++issued}`, expiresAt: now + 86_400_000 });
  const platform: ControlPlane = {
    audit: { note: (...args) => noted.push(args), ...overrides.audit },
    auditRecord: recording("auditRecord", calls, {
      list: async () => ({ items: [], nextCursor: null }),
      export: async () => [],
      checkpoints: async () => [],
      checkpoint: async () => undefined,
      publicKey: async () => "",
      ...overrides.auditRecord,
    }),
    keys: recording("keys", calls, {
      async authenticate(raw) {
        if (raw === key) return principal;
        throw new BulkheadError("INVALID_API_KEY", "This API key is not known.");
      },
      create: async (_, { name, expiresInSeconds }) => ({
        record: aKey({ name, expiresAt: expiresInSeconds == null ? null : now + expiresInSeconds * 1000 }),
        key,
      }),
      list: async () => [aKey(), aKey({ id: "ZzZzZz000000", expiresAt: now - 1 }), aKey({ id: "R", revokedAt: now })],
      rotate: async () => ({ record: aKey({ id: "NeWkEy000000" }), key }),
      revoked: async () => false,
      revoke: async () => undefined,
      ...overrides.keys,
    }),
    sandboxes: recording("sandboxes", calls, {
      create: async (_, input) => ({
        sandbox: aSandbox({ internetAccess: input.network?.mode !== "deny-all" }),
        token: issue(),
      }),
      get: find,
      list: async () => ({ items: [aSandbox()], nextCursor: null }),
      kill: find,
      setTimeout: async (who, asked, seconds) => {
        const found = await find(who, asked);
        const timeoutAt = seconds === null ? null : now + seconds * 1000;
        return { ...found, deadlines: { ...found.deadlines, timeoutSeconds: seconds, timeoutAt } };
      },
      setNetwork: async (who, asked, policy) => {
        const found = await find(who, asked);
        return { ...found, network: { ...policy, version: 2, source: "replaced", updatedAt: now } };
      },
      refreshToken: async (who, asked) => {
        await find(who, asked);
        return issue();
      },
      pause: async (who, asked) => ({ ...(await find(who, asked)), status: "paused" }),
      resume: find,
      stop: async (who, asked) => ({ ...(await find(who, asked)), status: "stopped", instanceId: null }),
      start: find,
      ...overrides.sandboxes,
    }),
    secrets: recording("secrets", calls, {
      put: async (_, name) => ({ name, version: 1, createdAt: now, updatedAt: now }),
      list: async () => [{ name: "github", version: 2, createdAt: now, updatedAt: now }],
      remove: async () => undefined,
      ...overrides.secrets,
    }),
    alerts: recording("alerts", calls, {
      list: async () => ({ items: [], nextCursor: null }),
      acknowledge: async (_, asked) => {
        throw new BulkheadError("RESOURCE_NOT_FOUND", `Alert ${asked} not found`);
      },
      ...overrides.alerts,
    }),
    quarantine: recording("quarantine", calls, {
      quarantine: async (who, asked, { reason }) => {
        const quarantine = { at: now, by: who.keyId, reason, until: now + 604_800_000, before: "running" as const };
        return { sandbox: { ...(await find(who, asked)), status: "paused", quarantine }, frozen: true };
      },
      release: find,
      ...overrides.quarantine,
    }),
    evidence: recording("evidence", calls, {
      bundle: async () => {
        throw new BulkheadError("SANDBOX_NOT_FOUND", "no evidence");
      },
      ...overrides.evidence,
    }),
    egress: recording("egress", calls, {
      list: async () => ({ items: [], nextCursor: null }),
      ...overrides.egress,
    }),
    templates: recording("templates", calls, {
      get: async (asked) => (asked === template.name || asked === template.id ? template : undefined),
      list: async () => [template],
      ...overrides.templates,
    }),
  };
  let tick = 0;
  const app = makeControlApp({
    ...more,
    platform,
    logger,
    clock: { now: () => now, random: (bytes) => Uint8Array.from({ length: bytes }, () => tick++ % 251) },
    config: { organizationId: 1, publicHost: (sandbox) => `http://127.0.0.1:8081/s/${sandbox}`, ...config },
  });
  const call = (method: string, path: string, init: { body?: unknown; headers?: Record<string, string> } = {}) =>
    app.request(path, {
      method,
      headers: { "x-api-key": key, "content-type": "application/json", ...init.headers },
      ...(init.body !== undefined && { body: typeof init.body === "string" ? init.body : JSON.stringify(init.body) }),
    });
  return { app, call, calls, lines, noted };
}
