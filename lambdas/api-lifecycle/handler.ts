import { makeTaskStopper } from "#aws/compute/task-stopper.ts";
import { makeKmsTokenSigner } from "#aws/kms-token-signer.ts";
import { makeKmsVault } from "#aws/kms-vault.ts";
import { makeLambdaAgentBridge } from "#aws/lambda-agent-bridge.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { rememberResolved } from "#core/delivered-secrets.ts";
import { makeApi } from "../api/make-api.ts";
import { apiLifecycleEnvSchema } from "../environment.ts";
import { makeAdmission } from "../parts/admission.ts";
import { makeChain } from "../parts/audit-chain.ts";
import { makeCommon } from "../parts/common.ts";
import { guarded } from "../parts/guarded.ts";
import { makePorts, makeStores } from "../parts/ports.ts";
import { refusedCompute } from "../parts/refused-ports.ts";

const env = readEnvironment(apiLifecycleEnvSchema, process.env);
const common = makeCommon("api-lifecycle", env);
const { clock, logger } = common;
const { stores, settle } = makeStores(common, env);
const region = env.AWS_REGION;
const ports = makePorts(common, stores, {
  compute: { ...refusedCompute, stop: makeTaskStopper({ settings: env.BULKHEAD_TEARDOWN, region, clock, logger }) },
  agent: makeLambdaAgentBridge({ region, functionName: env.BULKHEAD_BRIDGE, clock, logger }),
  signer: makeKmsTokenSigner({ region, keyId: env.BULKHEAD_SIGNING_KEY, clock }),
  vault: rememberResolved(
    makeKmsVault({ region, keyId: env.BULKHEAD_DATA_KEY, secretPrefix: env.BULKHEAD_SECRET_PREFIX, clock, logger }),
    common.secretValues,
  ),
  admission: makeAdmission(common, env),
  auditChain: makeChain(common, env),
});

/** Everything that changes something, behind both doors. It claims and stops instances; it cannot launch one. */
export const handler = guarded(logger, makeApi(env, { ports, metrics: common.metrics, settle }));
