import * as z from "zod";
import { makeSecretShelf } from "#aws/secret-shelf.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { makeAudit } from "#core/audit.ts";
import { makeKeyService } from "#core/keys.ts";
import { bootstrapEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";
import { makeStores } from "../parts/ports.ts";
import { ensureFirstKey } from "./first-key.ts";
import { oldestKeyAgeDays } from "./key-age.ts";
import { fargateTemplates } from "./templates.ts";

const env = readEnvironment(bootstrapEnvSchema, process.env);
const common = makeCommon("bootstrap", env);
const { clock, logger, metrics } = common;
const { stores } = makeStores(common, env);
const keys = makeKeyService({ keys: stores.keys, audit: makeAudit(stores.audit, clock, logger), clock });
const shelf = makeSecretShelf({
  region: env.AWS_REGION,
  secretId: env.BULKHEAD_FIRST_KEY_SECRET,
  schema: z.object({ key: z.string(), expiresAt: z.number() }),
});

/** At each deploy and each day: templates as this version has them, and a first API key that works and is not about to end. */
export async function handler(): Promise<void> {
  for (const template of fargateTemplates(clock.now())) await stores.templates.put(template);
  const projectId = env.BULKHEAD_SETTINGS.defaultProject;
  const done = await ensureFirstKey({ shelf, keys, clock, projectId });
  metrics.gauge("OldestKeyAgeDays", oldestKeyAgeDays(await stores.keys.list(projectId), clock.now()));
  logger.info("bootstrap done", { firstKey: done });
}
