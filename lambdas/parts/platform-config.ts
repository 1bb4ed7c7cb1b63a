import type { PlatformConfig } from "#core/config.ts";
import { askedPolicy } from "#core/network/policy.ts";
import type { Settings } from "../environment.ts";

/** A Fargate task takes 20 to 60 s to start, now and then minutes. */
const instanceStartMs = 300_000;

/** What the core needs to know of a deployment on AWS. */
export function platformConfig(settings: Settings, region: string): PlatformConfig {
  const { idleTimeoutSeconds, maxLifetimeSeconds, createWaitMs, quotaPerProject, pool, tombstoneSeconds } = settings;
  return {
    region,
    idleTimeoutSeconds,
    maxLifetimeSeconds,
    createWaitMs,
    quotaPerProject,
    // A place that a function took with its last breath would else keep a project without sandboxes from ever making one again.
    projects: [settings.defaultProject],
    pool,
    tombstoneSeconds,
    ...(settings.network !== undefined && { network: askedPolicy(settings.network) }),
    launching: "elsewhere",
    instanceStartMs,
    // A function serves one request at a time.
    createConcurrency: 1,
    refillConcurrency: 1,
    sweepEveryMs: 60_000,
  };
}
