import type { Environment, Scope } from "#contracts/access.ts";
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

/** A port of a sandbox that is reachable without the sandbox's token. */
export interface PublishedPort {
  readonly port: number;
  /** `public`: by everyone; `link`: by the holders of signed links. */
  readonly visibility: "public" | "link";
  readonly publishedAt: number;
  /** Links signed with another generation are refused; raising it ends them all. */
  readonly linkGeneration: number;
}

/** Held for inspection: nothing goes out, no token is taken, its processes stand still, its files stay. */
export interface Quarantine {
  readonly at: number;
  /** Key id, role, or the name of the alert that asked for it. */
  readonly by: string;
  readonly reason: string;
  /** When it ends unless it was released or ended before. */
  readonly until: number;
  /** What it was, and goes back to when it is released. */
  readonly before: "running" | "paused" | "stopped";
}

/** One sandbox as stored. */
export interface SandboxRecord {
  readonly id: string;
  readonly projectId: string;
  /** Of the key that made it; null: any key of the project may use it. */
  readonly environment: Environment | null;
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
  readonly ports: readonly PublishedPort[];
  readonly quarantine: Quarantine | null;
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

/** What one key may use, below what its project may; null: as its project. */
export interface KeyLimits {
  readonly maxSandboxes: number | null;
  readonly createsPerMinute: number | null;
  readonly requestsPerMinute: number | null;
}

export interface ApiKeyRecord {
  /** The public 12 characters. */
  readonly id: string;
  /** SHA-256 of the whole key, base64url. The key itself is shown once and never stored. */
  readonly hash: string;
  readonly name: string;
  readonly projectId: string;
  /** null: of all. */
  readonly environment: Environment | null;
  readonly scopes: readonly Scope[];
  readonly createdAt: number;
  /** null: never. */
  readonly expiresAt: number | null;
  /** When it should be replaced; an alert says so from then on. null: never. */
  readonly rotateAt: number | null;
  /** The key that took its place; it works on until `expiresAt`. */
  readonly replacedBy: string | null;
  readonly limits: KeyLimits | null;
  /** A decoy that was laid into this sandbox: whoever shows it has looked where nothing was given. */
  readonly decoyFor: string | null;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
}

/** Who asks: made by authentication, passed to every operation. */
export interface Principal {
  readonly projectId: string;
  /** Key id, or `iam:` and the role. */
  readonly keyId: string;
  readonly scopes: readonly Scope[];
  /** null: all of the project's. */
  readonly environment: Environment | null;
  /** @default - as the project's */
  readonly limits?: KeyLimits | null;
}

/** Circumstances of one request, for audit. */
export interface RequestContext {
  readonly requestId: string;
  readonly sourceIp: string | null;
  readonly userAgent: string | null;
  /** When it arrived. @default - unknown */
  readonly startedAt?: number;
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
  /** Key id, `iam:` and a role, `token:` and a sandbox, `link:` and a sandbox; "system" for the platform, "agent" for an instance's own end, "nobody" where nobody was known. */
  readonly actor: string;
  /** What the caller was allowed; empty where that is not known. */
  readonly scopes: readonly string[];
  /** e.g. "sandbox.create", "key.revoke", "exec.run". */
  readonly action: string;
  readonly target: string | null;
  readonly outcome: "allowed" | "refused" | "failed";
  readonly requestId: string | null;
  readonly sourceIp: string | null;
  /** From the beginning of the operation to its outcome; null where that is no time. */
  readonly latencyMs: number | null;
  /** Never values of secrets or env. */
  readonly details: Readonly<Record<string, unknown>>;
}
