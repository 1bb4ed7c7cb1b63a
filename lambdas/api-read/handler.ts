import { readEnvironment } from "#contracts/environment.ts";
import { makeApi } from "../api/make-api.ts";
import { apiReadEnvSchema } from "../environment.ts";
import { makeChain } from "../parts/audit-chain.ts";
import { makeCommon } from "../parts/common.ts";
import { guarded } from "../parts/guarded.ts";
import { makePorts, makeStores } from "../parts/ports.ts";
import { makeCapacityReader } from "../parts/stored-capacity.ts";

const env = readEnvironment(apiReadEnvSchema, process.env);
const common = makeCommon("api-read", env);
const { stores, settle } = makeStores(common, env);

/** Everything that only reads, behind both doors: it can neither launch, sign, nor reach an agent. */
export const handler = guarded(
  common.logger,
  makeApi(env, {
    ports: makePorts(common, stores, { auditChain: makeChain(common, env) }),
    metrics: common.metrics,
    settle,
    capacity: makeCapacityReader(common, env),
  }),
);
