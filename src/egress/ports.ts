import type { SecureContext } from "node:tls";
import type { AwsGrantBody } from "#contracts/control/network.ts";
import type { BrokeredSecret, EgressRow } from "#core/model.ts";
import type { NetworkPolicy } from "#core/network/policy.ts";
import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";

/** Who stands behind an instance's socket now, and what it may do. */
export interface EgressIdentity {
  readonly sandboxId: string;
  readonly projectId: string;
  readonly network: NetworkPolicy;
  readonly brokered: readonly BrokeredSecret[];
  /** Held for inspection: nothing goes out, whatever its policy says. @default false */
  readonly quarantined?: boolean;
}

/** Turns names into addresses, on the host. Sandboxes have no name service of their own. */
export interface Resolver {
  /** Every address of the name, in the order they should be tried. @throws Error when there is none */
  lookupAll(host: string): Promise<readonly string[]>;
}

export interface EgressQuestion {
  readonly sandboxId: string;
  readonly projectId: string;
  /** Lower-case name without a trailing dot, or a literal address. */
  readonly host: string;
  readonly port: number;
  /** What the name resolved to; the connection goes to one of these and nowhere else. */
  readonly addresses: readonly string[];
}

export interface EgressVerdict {
  readonly allow: boolean;
  /** One short phrase; shown to the sandbox's code and logged. */
  readonly reason: string;
}

/** Decides each connection after its name was resolved. */
export interface EgressPolicy {
  decide(question: EgressQuestion): EgressVerdict | Promise<EgressVerdict>;
}

/**
 * The record of what went out. A connection is recorded twice under one id: `open` before anything is connected, `closed` at its end; a
 * refusal once, `closed`. Never throws and never waits; once it returns, the row outlives a killed process.
 */
export interface EgressRecorder {
  record(row: EgressRow): void;
}

/** The value that a reference stands for now; used again for at most a minute. */
export interface SecretSource {
  /** @throws BulkheadError for a secret that does not exist, or that the project may not use */
  value(projectId: string, reference: string): Promise<string>;
}

/** What the proxy shows where it ends TLS. */
export interface Certificates {
  contextFor(host: string): Promise<SecureContext>;
}

export type HeaderPairs = readonly (readonly [string, string])[];

export interface SignableRequest {
  readonly method: string;
  readonly host: string;
  /** Path with query as sent. */
  readonly target: string;
  readonly headers: HeaderPairs;
  /** null: it is streamed, and its hash is what the request itself says. */
  readonly body: Buffer | null;
}

export interface SignedRequest {
  readonly target: string;
  readonly headers: HeaderPairs;
}

/** Signs for AWS, with a role session of the sandbox's own that may do no more than its grants. */
export interface RequestSigner {
  /** Whether the host is an AWS endpoint that the grants concern. */
  covers(grants: readonly AwsGrantBody[], host: string): boolean;
  /** What to send in its place. @throws BulkheadError when it cannot be signed */
  sign(
    identity: { readonly sandboxId: string; readonly projectId: string },
    grants: readonly AwsGrantBody[],
    request: SignableRequest,
  ): Promise<SignedRequest>;
}

export interface EgressOptions {
  /** @default [25] */
  readonly deniedPorts?: readonly number[];
  /** Open connections of one instance. @default 256 */
  readonly maxConnections?: number;
  /** For the name and the connection together. @default 10_000 */
  readonly connectMs?: number;
  /** A connection on which nothing moved either way is ended. @default 600_000 */
  readonly idleMs?: number;
}

export interface EgressDeps {
  readonly resolver: Resolver;
  /** What is refused whatever a sandbox's policy says. */
  readonly floor: EgressPolicy;
  readonly recorder: EgressRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is shown where TLS is ended. @default - TLS is never ended, and hosts that would need it are refused */
  readonly certificates?: Certificates | undefined;
  /** @default - brokered secrets are refused */
  readonly secrets?: SecretSource | undefined;
  /** @default - nothing is signed */
  readonly signer?: RequestSigner | undefined;
  /** CAs of servers that TLS is ended for, PEM. @default - those of Node */
  readonly trusted?: readonly string[] | undefined;
  readonly options?: EgressOptions;
}
