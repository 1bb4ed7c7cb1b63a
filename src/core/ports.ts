import type { Environment } from "#contracts/access.ts";
import type { ActivateRequest, AgentState, Lease } from "#contracts/agent-control.ts";
import type { Enforcement, Resources } from "#contracts/domain.ts";
import type {
  ApiKeyRecord,
  AuditEvent,
  EgressRow,
  Endpoint,
  InstanceRecord,
  SandboxRecord,
  TemplateRecord,
} from "#core/model.ts";

/** Binds a ciphertext to its sandbox: opened with any other it fails. */
export interface SealContext {
  readonly sandboxId: string;
  readonly projectId: string;
  /** @default "env" */
  readonly purpose?: string;
}

/** Keeps values secret at rest: KMS and Secrets Manager on AWS, a key file on one machine. */
export interface Vault {
  /** Encrypts; the answer is text that may be stored. One call to the key service whatever the size. */
  seal(values: Readonly<Record<string, string>>, context: SealContext): Promise<string>;
  /** @throws BulkheadError INTERNAL_ERROR when it was sealed in another context or was changed */
  open(sealed: string, context: SealContext): Promise<Readonly<Record<string, string>>>;
  /**
   * Values of secrets by the names they shall have inside. A reference is `secret-id` or `secret-id#json-key`.
   * @throws BulkheadError INVALID_REQUEST for a secret that does not exist, has no such key, or that the project may not use; the
   * three are told apart in the log only
   */
  resolve(projectId: string, references: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>>;
}

/** What may be told of a stored secret: never its value, nor anything of it. */
export interface SecretFacts {
  readonly name: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** How often it was put, from 1. */
  readonly version: number;
}

/** Secrets that the platform keeps itself. Where a cloud's own store has them there is none. */
export interface SecretStore {
  /** Makes or replaces; users of the secret get the new value from now on. @throws BulkheadError RESOURCE_LIMIT_ERROR for one too many */
  put(projectId: string, name: string, value: string): Promise<SecretFacts>;
  /** By name. */
  list(projectId: string): Promise<readonly SecretFacts[]>;
  /** @returns whether there was one */
  remove(projectId: string, name: string): Promise<boolean>;
}

/** Keeps launches under the provider's rate, over all functions that launch. */
export interface LaunchAdmission {
  /**
   * Takes the next free place in line.
   * @returns how long to wait for it, or, when the line is longer than `maxWaitMs`, after how many seconds to come again
   */
  admit(maxWaitMs: number): Promise<{ readonly waitMs: number } | { readonly retryAfterSeconds: number }>;
}

/** Result of a conditional write: `lost` when the stored item was not in the state the condition asked for. */
export type Written = "written" | "lost";

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; null at the end. */
  readonly nextCursor: string | null;
}

export interface SandboxQuery {
  readonly limit: number;
  readonly cursor: string | null;
  /** Keep only these; newest first in any case. Ended sandboxes are left out unless a status asks for them. */
  readonly statuses: readonly SandboxRecord["status"][] | null;
  readonly region: string | null;
  /** Keep only those of it, and those of none. @default null: all */
  readonly environment?: Environment | null;
}

/** Sandboxes, tombstones, quota counters and idempotency records. Reads after writes are consistent except `listAll`. */
export interface SandboxStore {
  /**
   * Adds a record, and the audit event of its making with it: neither is left without the other by a caller that sees this fail.
   * `lost` when the id exists.
   */
  insert(record: SandboxRecord, event?: AuditEvent): Promise<Written>;
  /** Replaces the record if the stored version is `record.version - 1`. */
  replace(record: SandboxRecord): Promise<Written>;
  /** undefined when there is none, or when its `expiresAtSeconds` has passed although TTL has not removed it yet. */
  get(id: string): Promise<SandboxRecord | undefined>;
  /** One project's sandboxes, newest first. @throws BulkheadError INVALID_REQUEST for a cursor that is not ours */
  list(projectId: string, query: SandboxQuery): Promise<Page<SandboxRecord>>;
  /** Every record that has not ended, of all projects, for the sweeper; eventually consistent is enough. */
  listLive(): AsyncIterable<SandboxRecord>;
  /** Writes last activity if it is later than the stored one; never brings back an ended sandbox. Does not touch `version`. */
  touch(id: string, at: number): Promise<void>;

  /** Takes one place of a project's quota. `lost` when `limit` places are taken. */
  takeQuota(projectId: string, limit: number): Promise<Written>;
  /** Gives one place back; never below zero. */
  returnQuota(projectId: string): Promise<void>;
  quotaInUse(projectId: string): Promise<number>;
  /** Sets the counter to `value` if it still is `expected`: repair by recount. */
  repairQuota(projectId: string, expected: number, value: number): Promise<Written>;

  /** Claims an idempotency key. Returns the existing claim when there is a live one. */
  claimIdempotency(claim: IdempotencyClaim): Promise<{ readonly existing: IdempotencyClaim | null }>;
  /** Undo of a claim whose create failed. A claim that names another sandbox stays. */
  releaseIdempotency(projectId: string, key: string, sandboxId: string): Promise<void>;
}

export interface IdempotencyClaim {
  readonly projectId: string;
  readonly key: string;
  /** Hash of the request body: the same key with another body is a conflict. */
  readonly bodyHash: string;
  /** Chosen before anything is made, so that a repeat finds the first one's sandbox. */
  readonly sandboxId: string;
  readonly expiresAtSeconds: number;
}

/** Instances as we believe them to be; `Compute.list` is what they are. */
export interface InstanceStore {
  insert(record: InstanceRecord): Promise<Written>;
  /** Replaces the record if the stored version is `record.version - 1`. */
  replace(record: InstanceRecord): Promise<Written>;
  get(id: string): Promise<InstanceRecord | undefined>;
  /** Ids of warm instances of a template, oldest first. A candidate may be gone by the time it is claimed. */
  listWarm(templateName: string, limit: number): Promise<readonly string[]>;
  /** One conditional write: warm and unclaimed → claimed by `sandboxId`. Returns the claimed record, or null when the race is lost. */
  claim(id: string, sandboxId: string): Promise<InstanceRecord | null>;
  /** The instance that has the TCP address `host` now; the youngest where an address was used again. Eventually consistent. */
  findByAddress(host: string): Promise<InstanceRecord | undefined>;
  listAll(): AsyncIterable<InstanceRecord>;
  remove(id: string): Promise<void>;
}

export interface TemplateStore {
  put(record: TemplateRecord): Promise<void>;
  /** By name or id. */
  get(nameOrId: string): Promise<TemplateRecord | undefined>;
  list(): Promise<readonly TemplateRecord[]>;
}

export interface KeyStore {
  /** A decoy is found by its id only, until it expires. */
  insert(record: ApiKeyRecord): Promise<Written>;
  /** By public id. */
  get(id: string): Promise<ApiKeyRecord | undefined>;
  list(projectId: string): Promise<readonly ApiKeyRecord[]>;
  /** `lost` when there is no such key or it is revoked already. */
  revoke(id: string, at: number): Promise<Written>;
  /** Another key takes its place: it ends at `expiresAt`. `lost` when it is revoked or was replaced already. */
  supersede(id: string, replacedBy: string, expiresAt: number): Promise<Written>;
  markUsed(id: string, at: number): Promise<void>;
}

export interface AuditLog {
  /** Resolves when the event is stored. Implementations may write several callers' events in one batch. */
  append(event: AuditEvent): Promise<void>;
}

/** An audit log whose events wait in it until they stand in the chain. */
export interface AuditInbox extends AuditLog {
  /** One project's, newest first. @throws BulkheadError INVALID_REQUEST for a cursor that is not ours */
  list(projectId: string, limit: number, cursor: string | null): Promise<Page<AuditEvent>>;
}

/** What was done to a sandbox through the gateway, or tried. */
export interface DataEvent {
  /** null: nobody's, as far as is known. */
  readonly projectId: string | null;
  readonly actor: string;
  readonly scopes: readonly string[];
  readonly action: string;
  /** The sandbox. */
  readonly target: string | null;
  readonly outcome: "allowed" | "refused" | "failed";
  readonly requestId: string;
  readonly sourceIp: string | null;
  readonly startedAt: number;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Takes what is done to sandboxes, for the audit record. Never throws, never waits. */
export interface DataAudit {
  note(event: DataEvent): void;
}

/** An audit event with its place in its project's chain: `hash` is SHA-256 over `prev`, `seq` and the event, lower-case hex. */
export interface ChainedEvent {
  /** From 1, without gaps. */
  readonly seq: number;
  /** Hash of the one before; 64 zeros for the first. */
  readonly prev: string;
  readonly hash: string;
  readonly event: AuditEvent;
}

export interface AuditQuery {
  readonly limit: number;
  readonly cursor: string | null;
  /** Newest first; `oldest` for exports. */
  readonly order: "newest" | "oldest";
  readonly target: string | null;
  readonly actor: string | null;
  /** A whole action, or its beginning with a dot at the end (`sandbox.`). */
  readonly action: string | null;
  readonly outcome: AuditEvent["outcome"] | null;
  readonly since: number | null;
  readonly until: number | null;
}

/** Says that a chain was `hash` at `seq`: signed (ES256 over its canonical JSON) by the deployment's audit key. */
export interface Checkpoint {
  readonly projectId: string;
  readonly seq: number;
  readonly hash: string;
  readonly at: number;
  /** SHA-256 of the public key (SPKI, DER), lower-case hex. */
  readonly keyId: string;
  /** base64url of r‖s. */
  readonly signature: string;
}

/** The chained audit record. An event that was appended stands here within a second (AWS: a few). */
export interface AuditChain {
  /** @throws BulkheadError INVALID_REQUEST for a cursor that is not ours */
  list(projectId: string, query: AuditQuery): Promise<Page<ChainedEvent>>;
  /** All of it, oldest first, from `fromSeq` on. */
  read(projectId: string, fromSeq?: number): AsyncIterable<ChainedEvent>;
  /** Signs where the chain stands now; undefined while it is empty. */
  checkpoint(projectId: string): Promise<Checkpoint | undefined>;
  /** Those that were made, oldest first. */
  checkpoints(projectId: string): Promise<readonly Checkpoint[]>;
  /** Another document with a signature of the audit key (ES256 over its canonical JSON). */
  signed<T extends object>(document: T): Promise<T & { readonly keyId: string; readonly signature: string }>;
  /** The audit key's public half, SPKI PEM. */
  publicKeyPem(): Promise<string>;
}

export interface EgressQuery {
  readonly limit: number;
  readonly cursor: string | null;
  readonly sandboxId: string | null;
  /** Exact name, or `*.name` for those below it. */
  readonly host: string | null;
  readonly decision: EgressRow["decision"] | null;
  readonly state: EgressRow["state"] | null;
  /** Recorded at or after, epoch milliseconds. */
  readonly since: number | null;
  /** Recorded before. */
  readonly until: number | null;
}

/** What sandboxes connected to. Rows of one connection have one id; the later one stands. Rows vanish by TTL. */
export interface EgressStore {
  /** Stores rows of any projects; those of no project are left out. Repeating a call changes nothing. */
  append(rows: readonly EgressRow[]): Promise<void>;
  /** One project's rows, newest first, each connection once. @throws BulkheadError INVALID_REQUEST for a cursor that is not ours */
  list(projectId: string, query: EgressQuery): Promise<Page<EgressRow>>;
}

export interface LaunchRequest {
  readonly instanceId: string;
  readonly template: TemplateRecord;
  readonly resources: Resources;
  /** The kept disk to work on. @default - a new disk, whose id is the instance's */
  readonly diskId?: string | undefined;
}

export interface StopOptions {
  /** Whether the files stay, under the id of the instance's disk, until `removeDisk`. @default false */
  readonly keepDisk?: boolean | undefined;
}

export interface Launched {
  readonly providerId: string;
  /** Unknown until the provider placed the instance; locally known at once. */
  readonly endpoint: Endpoint | null;
  readonly enforced: Enforcement;
}

/** What the provider says of one instance. */
export interface InstanceTruth {
  readonly instanceId: string;
  readonly providerId: string;
  readonly state: "starting" | "running" | "gone";
  readonly endpoint: Endpoint | null;
}

/** What starts and stops instances: ECS on AWS, namespaces on one machine. Idempotent by instance id. */
export interface Compute {
  /**
   * Starts one instance. Repeating a call with the same `instanceId` returns the first instance. When it throws, nothing is left.
   * @throws BulkheadError CAPACITY_EXHAUSTED when there is no room, HOST_UNSUITABLE when a limit cannot be enforced here,
   * INTERNAL_ERROR when there is no kept disk of that id. A kept disk stays kept when it throws.
   */
  launch(request: LaunchRequest): Promise<Launched>;
  describe(instanceId: string): Promise<InstanceTruth | undefined>;
  /**
   * Ends the instance and everything that was made for it. Succeeds when there is nothing (left) to end. Where the provider lets go of
   * things only after the instance has stopped, they are left, listed as `gone`, and taken away when this is called again.
   * A disk that one call has kept is not removed by another that does not say so.
   * @throws BulkheadError INVALID_REQUEST for `keepDisk` where instances have no disk that could outlive them; nothing has changed then
   */
  stop(instanceId: string, options?: StopOptions): Promise<void>;
  /** Removes a kept disk. Succeeds when there is none. */
  removeDisk(diskId: string): Promise<void>;
  /** Kept disks that no instance uses. */
  listDisks(): Promise<readonly string[]>;
  /** Provider truth: everything that exists, whether or not a record knows it; `gone` is what is left of an instance. */
  list(): Promise<readonly InstanceTruth[]>;
}

/** An instance ended by itself or by its provider. Delivered at least once, possibly late. */
export interface InstanceExit {
  readonly instanceId: string;
  readonly cause: "timeout" | "idle" | "lifetime" | "out_of_memory" | "disk_full" | "task_failed" | "host_retired";
  /** Safe to show: signal, exit code. */
  readonly message: string;
}

/** The bridge's calls to an agent. Each has its own deadline and treats the answer as untrusted. */
export interface AgentPort {
  /** Gives the instance to a sandbox. Repeating it for the same sandbox succeeds. @throws BulkheadError AGENT_UNREACHABLE | CONFLICT */
  activate(endpoint: Endpoint, request: ActivateRequest): Promise<void>;
  /** Replaces the deadlines. @throws BulkheadError AGENT_UNREACHABLE */
  renew(endpoint: Endpoint, lease: Lease): Promise<AgentState>;
  /** User code stands still from now on. Safe to repeat. @throws BulkheadError AGENT_UNREACHABLE; it may be frozen all the same */
  freeze(endpoint: Endpoint): Promise<AgentState>;
  /** User code goes on. Safe to repeat. @throws BulkheadError AGENT_UNREACHABLE */
  thaw(endpoint: Endpoint): Promise<AgentState>;
  /** The sandbox's variables as they are now. They are secrets. @throws BulkheadError AGENT_UNREACHABLE */
  env(endpoint: Endpoint): Promise<Readonly<Record<string, string>>>;
  /** @throws BulkheadError AGENT_UNREACHABLE when there is no answer within `timeoutMs` */
  health(endpoint: Endpoint, timeoutMs: number): Promise<AgentState>;
}

export interface SandboxClaims {
  readonly sandboxId: string;
  readonly generation: number;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  /** Key id or role that it was issued to: it ends with a revoked key. @default - nobody who could be revoked */
  readonly issuedBy?: string;
}

/** What a signed link to a port says. */
export interface LinkClaims {
  readonly sandboxId: string;
  readonly port: number;
  /** {@link PublishedPort.linkGeneration} */
  readonly generation: number;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Signs sandbox tokens: KMS on AWS, a key file on one machine. */
export interface TokenSigner {
  /** A JWT (ES256). Two calls never return the same text (contract rule 7). */
  sign(claims: SandboxClaims): Promise<string>;
  /** A JWT (ES256) for another audience than tokens have. */
  signLink(claims: LinkClaims): Promise<string>;
}

/** The other half of TokenSigner: offline, with the public key only. */
export interface TokenVerifier {
  /** @throws BulkheadError TOKEN_INVALID | TOKEN_EXPIRED */
  verify(token: string): Promise<SandboxClaims>;
  /** @throws BulkheadError TOKEN_INVALID | TOKEN_EXPIRED */
  verifyLink(link: string): Promise<LinkClaims>;
}

export interface Timer {
  cancel(): void;
}

/** Time and randomness. The simulation and unit tests pass a virtual one. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Runs once after `ms`; never keeps the process alive. */
  after(ms: number, run: () => void): Timer;
  sleep(ms: number): Promise<void>;
  random(bytes: number): Uint8Array;
}

/** Facts other parts of the platform react to, in process; nothing durable relies on delivery. */
export type CoreEvent =
  /** Activated; `endpoint` is its agent's. */
  | { readonly type: "sandbox.running"; readonly record: SandboxRecord; readonly endpoint: Endpoint }
  /** What it may reach has changed. */
  | { readonly type: "sandbox.network"; readonly record: SandboxRecord }
  /** Paused or stopped: it answers nothing until it is running again. A stopped one has no instance. */
  | { readonly type: "sandbox.resting"; readonly record: SandboxRecord; readonly endpoint: Endpoint | null }
  /** Its end has begun: it answers 410 from now on. */
  | { readonly type: "sandbox.ended"; readonly sandboxId: string; readonly instanceId: string | null };

export interface Events {
  publish(event: CoreEvent): void;
  subscribe(listener: (event: CoreEvent) => void): () => void;
}
