/** What a deployment decides about its sandboxes. */
export interface PlatformConfig {
  readonly region: string;
  readonly idleTimeoutSeconds: number;
  /** Also the ceiling of what a caller may ask for. */
  readonly maxLifetimeSeconds: number;
  /** How long create waits for an instance before it answers with status `creating`. */
  readonly createWaitMs: number;
  /** Creates at work at once; the others wait in line. More than a machine can serve at once only makes all of them late. */
  readonly createConcurrency: number;
  /** Sandboxes that may live at once in one project. */
  readonly quotaPerProject: number;
  /** Warm instances to hold, by template name. */
  readonly pool: Readonly<Record<string, number>>;
  readonly refillConcurrency: number;
  readonly sweepEveryMs: number;
  /** How long an ended sandbox answers 410 before it answers 404. */
  readonly tombstoneSeconds: number;
}
