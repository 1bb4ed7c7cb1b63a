import type { Enforcement } from "#contracts/domain.ts";
import type {
  ApiKeyRecord,
  AuditEvent,
  EgressRow,
  InstanceRecord,
  Principal,
  RequestContext,
  SandboxRecord,
  TemplateRecord,
} from "#core/model.ts";
import { type NetworkPolicy, openPolicy } from "#core/network/policy.ts";
import type { IdempotencyClaim } from "#core/ports.ts";

export const startOfTime = 1_800_000_000_000;

export const someEnforcement: Enforcement = {
  cpu: "fake",
  memory: "fake",
  pids: "fake",
  disk: "fake",
  network: "fake",
  identity: "fake",
  syscalls: "fake",
};

export const aPrincipal: Principal = { projectId: "p1", keyId: "keyid0000001", scopes: ["admin"], environment: null };

export const aContext: RequestContext = { requestId: "req_test", sourceIp: "127.0.0.1", userAgent: "test" };

export function aTemplate(changes: Partial<TemplateRecord> = {}): TemplateRecord {
  return {
    id: "1",
    name: "base",
    displayName: "Base",
    description: "for tests",
    category: "development",
    language: "multi",
    status: "active",
    problem: null,
    resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
    features: [],
    tags: [],
    idleTimeoutSeconds: null,
    maxLifetimeSeconds: null,
    network: null,
    createdAt: startOfTime,
    updatedAt: startOfTime,
    ...changes,
  };
}

export function aNetwork(changes: Partial<NetworkPolicy> = {}): NetworkPolicy {
  return { ...openPolicy, version: 1, source: "deployment", updatedAt: startOfTime, ...changes };
}

export function aSandbox(changes: Partial<SandboxRecord> = {}): SandboxRecord {
  return {
    id: "1800000000abcdefghij",
    projectId: "p1",
    createdByKeyId: "keyid0000001",
    templateName: "base",
    templateId: "1",
    region: "local",
    status: "running",
    statusDeadlineAt: null,
    instanceId: "i0123456789abcdef",
    diskId: null,
    resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
    enforced: someEnforcement,
    internetAccess: true,
    network: aNetwork(),
    brokered: [],
    secretNames: [],
    environment: null,
    ports: [],
    quarantine: null,
    deadlines: {
      timeoutSeconds: null,
      timeoutAt: null,
      idleTimeoutSeconds: 3600,
      maxLifetimeSeconds: 86_400,
      lifetimeAt: startOfTime + 86_400_000,
    },
    createdAt: startOfTime,
    startedAt: startOfTime,
    lastActivityAt: startOfTime,
    endedAt: null,
    endReason: null,
    sealedEnv: null,
    tokenGeneration: 1,
    version: 1,
    expiresAtSeconds: null,
    ...changes,
  };
}

export function anInstance(changes: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    id: "i0123456789abcdef",
    templateName: "base",
    state: "warm",
    stateDeadlineAt: null,
    sandboxId: null,
    diskId: null,
    providerId: "fake-1",
    endpoint: { kind: "unix", path: "/x" },
    resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
    enforced: someEnforcement,
    createdAt: startOfTime,
    version: 1,
    expiresAtSeconds: null,
    ...changes,
  };
}

export function aKey(changes: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    id: "keyid0000001",
    hash: "h",
    name: "test",
    projectId: "p1",
    scopes: ["manage"],
    createdAt: startOfTime,
    expiresAt: null,
    environment: null,
    rotateAt: null,
    replacedBy: null,
    limits: null,
    decoyFor: null,
    revokedAt: null,
    lastUsedAt: null,
    ...changes,
  };
}

/** A tombstone that may vanish an hour after the end. */
export function anEndedSandbox(changes: Partial<SandboxRecord> = {}): SandboxRecord {
  const endedAt = changes.endedAt ?? startOfTime + 1000;
  return aSandbox({
    status: "deleted",
    endedAt,
    endReason: "killed",
    expiresAtSeconds: Math.floor(endedAt / 1000) + 3600,
    ...changes,
  });
}

export function anAuditEvent(changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    at: startOfTime,
    id: "event000000000000001",
    projectId: "p1",
    actor: "keyid0000001",
    action: "sandbox.create",
    target: "1800000000abcdefghij",
    outcome: "allowed",
    requestId: "req_test",
    sourceIp: "127.0.0.1",
    scopes: ["admin"],
    latencyMs: 1,
    details: {},
    ...changes,
  };
}

/** A connection that has ended. */
export function anEgressRow(changes: Partial<EgressRow> = {}): EgressRow {
  return {
    id: "c0000000000000001",
    kind: "connection",
    connection: null,
    state: "closed",
    startedAt: startOfTime,
    endedAt: startOfTime + 10,
    sandboxId: "1800000000abcdefghij",
    projectId: "p1",
    instanceId: "i0123456789abcdef",
    protocol: "connect",
    inside: "tls",
    host: "api.example.com",
    port: 443,
    address: "203.0.113.7",
    method: null,
    decision: "allow",
    rule: "api.example.com",
    reason: "on the allow-list",
    policyVersion: 1,
    bytesIn: 100,
    bytesOut: 50,
    requests: 0,
    secrets: [],
    ...changes,
  };
}

/** Lives for a day. */
export function aClaim(changes: Partial<IdempotencyClaim> = {}): IdempotencyClaim {
  return {
    projectId: "p1",
    key: "k1",
    bodyHash: "b1",
    sandboxId: "1800000000abcdefghij",
    expiresAtSeconds: startOfTime / 1000 + 86_400,
    ...changes,
  };
}
