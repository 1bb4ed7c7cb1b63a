import * as z from "zod";
import { makeDocumentClient } from "#aws/clients.ts";
import { makeStoredAuthority, publishedCertificate } from "#aws/egress-authority.ts";
import { makeSecretShelf } from "#aws/secret-shelf.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { makeAudit } from "#core/audit.ts";
import { makeKeyService } from "#core/keys.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { bootstrapEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";
import { guarded } from "../parts/guarded.ts";
import { makeStores } from "../parts/ports.ts";
import { ensureAuthority } from "./egress-authority.ts";
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
const table = { client: makeDocumentClient(env.AWS_REGION), table: env.BULKHEAD_TABLE, clock, logger };
const { AWS_REGION: region, BULKHEAD_DEPLOYMENT: deployment, BULKHEAD_DATA_KEY: keyId } = env;
const authority = makeStoredAuthority({ table, region, keyId, deployment });

/**
 * At each deploy and each day: the egress CA, templates as this version has them, and a first API key that works and is not about to
 * end. Templates come after the CA: without them nothing is launched, so that no instance starts without it.
 */
export const handler = guarded(logger, async (): Promise<void> => {
  const egressCa = await ensureAuthority({
    certificate: () => publishedCertificate(table),
    make: () => makeAuthority({ deployment, clock }),
    create: (made) => authority.create(made),
  });
  for (const template of fargateTemplates(clock.now())) await stores.templates.put(template);
  const projectId = env.BULKHEAD_SETTINGS.defaultProject;
  const done = await ensureFirstKey({ shelf, keys, clock, projectId });
  metrics.gauge("OldestKeyAgeDays", oldestKeyAgeDays(await stores.keys.list(projectId), clock.now()));
  logger.info("bootstrap done", { firstKey: done, egressCa });
});
