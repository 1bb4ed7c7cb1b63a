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
    projects: [...new Set([settings.defaultProject, ...(settings.iamProjects ?? []).map(({ project }) => project)])],
    pool,
    tombstoneSeconds,
    // What a function answers is at most 6 MB.
    evidenceBytes: 4 * 1024 * 1024,
    ...(settings.quarantineSeconds !== undefined && { quarantineSeconds: settings.quarantineSeconds }),
    ...(settings.maxKeySeconds !== undefined && { keys: { maxSeconds: settings.maxKeySeconds } }),
    ...(settings.network !== undefined && { network: askedPolicy(settings.network) }),
    launching: "elsewhere",
    instanceStartMs,
    // A function serves one request at a time.
    createConcurrency: 1,
    refillConcurrency: 1,
    // A volume of its own in the task definition, which only the agent writes to.
    decoyPath: "/run/secrets/bulkhead-admin-key",
    sweepEveryMs: 60_000,
  };
}
