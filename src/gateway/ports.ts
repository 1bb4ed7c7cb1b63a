import type { Environment, Scope } from "#contracts/access.ts";
import type { EndReason, SandboxStatus } from "#contracts/domain.ts";
import type { Endpoint, PublishedPort, Quarantine } from "#core/model.ts";
import type { Clock, DataAudit, TokenVerifier } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Metrics } from "#telemetry/metrics.ts";

/** What the gateway needs to know of a sandbox. Times are epoch milliseconds. */
export interface Target {
  readonly sandboxId: string;
  readonly projectId: string;
  readonly status: SandboxStatus;
  /** Tokens of any other generation are refused. */
  readonly generation: number;
  /** Where its agent listens; null while there is none. */
  readonly endpoint: Endpoint | null;
  readonly createdAt: number;
  /** When it ends or ended; null when nothing but its end is known. */
  readonly expiresAt: number | null;
  readonly endReason: EndReason | null;
  readonly environment: Environment | null;
  /** Reachable without the sandbox's token. */
  readonly ports: readonly PublishedPort[];
  readonly quarantine: Quarantine | null;
}

/** Where sandboxes are looked up. The gateway caches what it answers for about a second. */
export interface Directory {
  /** The sandbox or its tombstone; undefined when there is neither. */
  resolve(sandboxId: string): Promise<Target | undefined>;
}

/** Checks an API key given in place of a sandbox token. */
export interface KeyCheck {
  /** @throws BulkheadError INVALID_API_KEY, RATE_LIMIT_EXCEEDED for an address with too many wrong ones */
  authenticate(
    rawKey: string,
    shown: { readonly sourceIp: string | null; readonly plane: "data" },
  ): Promise<{
    readonly projectId: string;
    readonly scopes: readonly Scope[];
    readonly environment: Environment | null;
    readonly keyId: string;
  }>;
  /** Whether the key that a token was issued to was revoked; known within five seconds. */
  revoked(keyId: string): Promise<boolean>;
}

/** Learns that a sandbox is in use. Called at most once per `touchEveryMs` and sandbox. */
export interface ActivitySink {
  touch(sandboxId: string): Promise<void>;
}

export interface GatewayOptions {
  /** Domain of `<port>-<id>.<domain>` hosts. @default - sandboxes are found by path and token only */
  readonly domain?: string;
  /** Whether a trusted hop in front sets `X-Forwarded-*`. @default false: what callers send there is dropped */
  readonly trustForwarded?: boolean;
  /**
   * What callers speak with the outermost hop, where those behind it say what they speak among themselves.
   * @default - what `X-Forwarded-Proto` says, if it is trusted
   */
  readonly callersSpeak?: "https";
  /** How long a connection is kept without a request; a balancer in front should give up sooner. @default 75_000 */
  readonly keepIdleMs?: number;
  /** How long a request waits for a sandbox that is being created. @default 60_000 */
  readonly holdMs?: number;
  /** How long an answer of the directory is believed. @default 1000 */
  readonly cacheMs?: number;
  /** Shortest distance of two activity reports of one sandbox. @default 15_000 */
  readonly touchEveryMs?: number;
  /** How long a sender may stall in the middle of a request body. @default 300_000 */
  readonly uploadStallMs?: number;
  /** Whether an agent can be at this address. @default - wherever the directory says */
  readonly isAgentHost?: (host: string) => boolean;
  /** Whether the text of what is run is recorded, beside its hash and size. @default false */
  readonly auditContent?: boolean;
  /** How many trusted hops in front add to `X-Forwarded-For`. @default 1 with `trustForwarded`, else 0 */
  readonly forwardedHops?: number;
  /** How often it is looked whether what is open would still be let in. @default 2000 */
  readonly recheckMs?: number;
  /** How long to wait for the true end of a sandbox whose agent broke a connection. @default 2000 */
  readonly settleMs?: number;
}

export interface GatewayDeps {
  readonly directory: Directory;
  readonly tokens: TokenVerifier;
  readonly keys: KeyCheck;
  readonly activity: ActivitySink;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Counts refused keys and tokens. @default - nobody counts */
  readonly metrics?: Pick<Metrics, "count">;
  /** Takes what callers do, and are refused. @default - nothing is recorded */
  readonly audit?: DataAudit;
  readonly options?: GatewayOptions;
}
