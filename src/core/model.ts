import type { EndReason, Enforcement, Resources, SandboxStatus } from "#contracts/domain.ts";
import type { AskedPolicy, NetworkPolicy } from "./network/policy.ts";

/** All times are epoch milliseconds unless a name says otherwise; `expiresAtSeconds` is DynamoDB's TTL attribute. */

export interface Deadlines {
  /** Seconds asked for by the caller, null for none; counts from create or from the last PUT timeout. */
  readonly timeoutSeconds: number | null;
  readonly timeoutAt: number | null;
  readonly idleTimeoutSeconds: number;
  readonly maxLifetimeSeconds: number;
  readonly lifetimeAt: number;
}

/** A secret that a sandbox may use and never sees. */
export interface BrokeredSecret {
  /** The variable that holds the placeholder. */
  readonly name: string;
  /** See `placeholderPattern`. Not a secret. */
  readonly placeholder: string;
  /** `secret-id` or `secret-id#json-key`. */
  readonly reference: string;
  /** `api.example.com`, `*.example.com`, with `:port` where it is not 443. */
  readonly hosts: readonly string[];
  /** See `secretUseSchema`. */
  readonly use: string;
}

/** One sandbox as stored. */
export interface SandboxRecord {
  readonly id: string;
  readonly projectId: string;
  /** Id (public part) of the API key that made it. */
  readonly createdByKeyId: string;
  readonly templateName: string;
  readonly templateId: string;
  readonly region: string;
  readonly status: SandboxStatus;
  /** When a transitional status is forced out; null for resting ones. */
  readonly statusDeadlineAt: number | null;
  readonly instanceId: string | null;
  /** The disk that holds its files, from its first stop on; null while they are its first instance's own. */
  readonly diskId: string | null;
  readonly resources: Resources;
  readonly enforced: Enforcement | null;
  /** Whether its policy lets anything out at all. */
  readonly internetAccess: boolean;
  readonly network: NetworkPolicy;
  readonly brokered: readonly BrokeredSecret[];
  /** Variables that were given the value of a secret. */
  readonly secretNames: readonly string[];
  readonly deadlines: Deadlines;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly lastActivityAt: number;
  readonly endedAt: number | null;
  readonly endReason: EndReason | null;
  /** Environment, sealed, while no agent has it: before the first one does, and while it is stopped. Opened by whoever activates the instance. */
  readonly sealedEnv: string | null;
  /** Tokens carry the generation they were signed with; raising it ends them all. */
  readonly tokenGeneration: number;
  /** Grows by one with each write; writes are conditional on the one they read. */
  readonly version: number;
  /**
   * When the record may vanish: of a tombstone after its time, of what lives a day after its last possible moment. Readers check it
   * themselves, TTL may lag by days.
   */
  readonly expiresAtSeconds: number | null;
}

/** `warm` instances belong to nobody; `claimed` ones to `sandboxId` for ever (single use). */
export const instanceStates = ["starting", "warm", "claimed", "stopping"] as const;
export type InstanceState = (typeof instanceStates)[number];

/** How the gateway and the bridge reach an agent. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | {
      readonly kind: "tcp";
      readonly host: string;
      readonly port: number;
      /** SHA-256 of the agent's certificate as the bridge first saw it, in lower-case hex; absent: plain HTTP. */
      readonly fingerprint?: string | undefined;
      /** SHA-256 (base64url) of what the agent shows the egress proxy, as it said when it was first met; absent: it has no way out. */
      readonly egressKeyHash?: string | undefined;
    };

export interface InstanceRecord {
  readonly id: string;
  readonly templateName: string;
  readonly state: InstanceState;
  readonly stateDeadlineAt: number | null;
  readonly sandboxId: string | null;
  /** The kept disk it works on; null: one of its own, with its own id. */
  readonly diskId: string | null;
  /** The provider's own id, null until launch returned. */
  readonly providerId: string | null;
  readonly endpoint: Endpoint | null;
  readonly resources: Resources;
  readonly enforced: Enforcement | null;
  readonly createdAt: number;
  readonly version: number;
  readonly expiresAtSeconds: number | null;
}

export interface TemplateRecord {
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  readonly category: string;
  readonly language: string;
  readonly status: "pending" | "building" | "active" | "failed";
  /** Why a failed template failed and what to do, else null. */
  readonly problem: string | null;
  readonly resources: Resources;
  readonly features: readonly string[];
  readonly tags: readonly string[];
  readonly idleTimeoutSeconds: number | null;
  readonly maxLifetimeSeconds: number | null;
  /** What its sandboxes may reach unless they say otherwise; null: what the deployment says. */
  readonly network: AskedPolicy | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Scopes of an API key, from weakest to strongest. */
export const keyScopes = ["read", "use", "manage", "admin"] as const;
export type KeyScope = (typeof keyScopes)[number];

export interface ApiKeyRecord {
  /** The public 12 characters. */
  readonly id: string;
  /** SHA-256 of the whole key, base64url. The key itself is shown once and never stored. */
  readonly hash: string;
  readonly name: string;
  readonly projectId: string;
  readonly scopes: readonly KeyScope[];
  readonly createdAt: number;
  /** null: never. */
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
}

/** Who asks: made by authentication, passed to every operation. */
export interface Principal {
  readonly projectId: string;
  readonly keyId: string;
  readonly scopes: readonly KeyScope[];
}

/** Circumstances of one request, for audit. */
export interface RequestContext {
  readonly requestId: string;
  readonly sourceIp: string | null;
  readonly userAgent: string | null;
}

/** One connection out of a sandbox, or one that was refused (`egressRowSchema` says what each field means). */
export interface EgressRow {
  readonly id: string;
  readonly kind: "connection" | "request";
  readonly connection: string | null;
  readonly state: "open" | "closed" | "interrupted";
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly sandboxId: string | null;
  /** null: nobody's, and so in no project's record. */
  readonly projectId: string | null;
  readonly instanceId: string;
  readonly protocol: "connect" | "http" | "socks5";
  readonly inside: "opaque" | "tls" | "http" | "https" | null;
  readonly host: string;
  readonly port: number;
  readonly address: string | null;
  readonly method: string | null;
  readonly decision: "allow" | "deny";
  readonly rule: string | null;
  readonly reason: string;
  readonly policyVersion: number | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: number;
  readonly secrets: readonly string[];
}

export interface AuditEvent {
  readonly at: number;
  /** Sorts and identifies events of one moment. */
  readonly id: string;
  readonly projectId: string;
  /** Key id, "system" for the sweeper, "agent" for an instance's own end. */
  readonly actor: string;
  /** e.g. "sandbox.create", "key.revoke". */
  readonly action: string;
  readonly target: string | null;
  readonly outcome: "allowed" | "refused" | "failed";
  readonly requestId: string | null;
  readonly sourceIp: string | null;
  /** Never values of secrets or env. */
  readonly details: Readonly<Record<string, unknown>>;
}
