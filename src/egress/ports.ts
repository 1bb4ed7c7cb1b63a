import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";

/** Who stands behind an instance's socket now. */
export interface EgressIdentity {
  readonly sandboxId: string;
  readonly projectId: string;
  readonly internetAccess: boolean;
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

/** One connection, or one refusal. */
export interface EgressDecision {
  /** When it began, epoch milliseconds. */
  readonly at: number;
  readonly instanceId: string;
  /** null while the instance belongs to nobody. */
  readonly sandboxId: string | null;
  readonly projectId: string | null;
  readonly method: "CONNECT" | "http";
  readonly host: string;
  /** 0 when the request named none that can be read. */
  readonly port: number;
  /** The address connected to; null when there was no connection. */
  readonly address: string | null;
  readonly decision: "allow" | "deny";
  readonly reason: string;
  /** Bytes from the outside to the sandbox. */
  readonly bytesIn: number;
  /** Bytes from the sandbox to the outside. */
  readonly bytesOut: number;
  readonly durationMs: number;
}

/** Where decisions are kept. Never throws; one call per connection, at its end. */
export interface DecisionLog {
  record(decision: EgressDecision): void;
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
  readonly policy: EgressPolicy;
  readonly decisions: DecisionLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options?: EgressOptions;
}
