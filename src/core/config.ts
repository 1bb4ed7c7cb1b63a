import type { KeyPolicy } from "./keys.ts";
import type { AskedPolicy } from "./network/policy.ts";

/** What a deployment decides about its sandboxes. */
export interface PlatformConfig {
  readonly region: string;
  readonly idleTimeoutSeconds: number;
  /** Also the ceiling of what a caller may ask for. */
  readonly maxLifetimeSeconds: number;
  /** What sandboxes may reach whose caller and template say nothing. @default openPolicy */
  readonly network?: AskedPolicy;
  /** Of API keys. @default - as makeKeyService */
  readonly keys?: KeyPolicy;
  /** How long create waits for an instance before it answers with status `creating`. */
  readonly createWaitMs: number;
  /**
   * Who starts instances. `here`: the process that was asked, while the caller waits. `elsewhere`: another one, which acts on the
   * instance's record (`Platform.launcher`) and hears from the provider when it is placed (`Platform.instancePlaced`).
   */
  readonly launching: "here" | "elsewhere";
  /** How long an instance may take from its launch to its agent's first answer. */
  readonly instanceStartMs: number;
  /** Creates at work at once; the others wait in line. More than a machine can serve at once only makes all of them late. */
  readonly createConcurrency: number;
  /** Sandboxes that may live at once in one project. */
  readonly quotaPerProject: number;
  /** Projects whose quota is counted again by each sweep, also when nothing of theirs lives. @default - only those with live sandboxes */
  readonly projects?: readonly string[];
  /** Warm instances to hold, by template name. */
  readonly pool: Readonly<Record<string, number>>;
  readonly refillConcurrency: number;
  readonly sweepEveryMs: number;
  /** How long a quarantine holds unless whoever asks for it says otherwise. @default - a week */
  readonly quarantineSeconds?: number;
  /** Most bytes of one evidence bundle; where answers may not be longer than that. @default 64 MiB */
  readonly evidenceBytes?: number;
  /** File that a key of no use is laid into in every sandbox: who shows it has searched there. @default - none */
  readonly decoyPath?: string | undefined;
  /** How long an ended sandbox answers 410 before it answers 404. */
  readonly tombstoneSeconds: number;
}

/** A sandbox that is still being created after this has failed: its instance had its time, and a while to be used. */
export function creatingDeadlineMs(config: Pick<PlatformConfig, "instanceStartMs">): number {
  return config.instanceStartMs + 60_000;
}
