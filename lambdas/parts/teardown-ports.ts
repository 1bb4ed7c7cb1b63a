import { makeFargateTeardown } from "#aws/compute/fargate-teardown.ts";
import type { TeardownSettings } from "#aws/compute/settings.ts";
import { makeKmsVaultOpener } from "#aws/kms-vault.ts";
import { makeLambdaAgentBridge } from "#aws/lambda-agent-bridge.ts";
import { makeFileRemover } from "#aws/lambda-janitor.ts";
import type { PlatformPorts } from "#core/deps.ts";
import type { Common } from "./common.ts";
import { refusedCompute, refusedVault } from "./refused-ports.ts";

export interface TeardownEnv {
  readonly AWS_REGION: string;
  readonly BULKHEAD_BRIDGE: string;
  readonly BULKHEAD_DATA_KEY: string;
  readonly BULKHEAD_TEARDOWN: TeardownSettings;
  readonly BULKHEAD_AGENT_PORT: number;
  readonly BULKHEAD_JANITOR: string;
}

/** Ports of functions that end instances and give placed ones to their sandboxes: all but launching. */
export function makeTeardownPorts(common: Common, env: TeardownEnv): Partial<PlatformPorts> {
  const { clock, logger } = common;
  const region = env.AWS_REGION;
  const teardown = makeFargateTeardown({
    settings: env.BULKHEAD_TEARDOWN,
    agentPort: env.BULKHEAD_AGENT_PORT,
    region,
    clock,
    logger,
    removeFiles: makeFileRemover({ region, functionName: env.BULKHEAD_JANITOR, clock }),
  });
  return {
    compute: { ...refusedCompute, ...teardown },
    agent: makeLambdaAgentBridge({ region, functionName: env.BULKHEAD_BRIDGE, clock, logger }),
    vault: { ...refusedVault, open: makeKmsVaultOpener({ region, keyId: env.BULKHEAD_DATA_KEY }) },
  };
}
