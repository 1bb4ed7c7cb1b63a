import { makeDocumentClient } from "#aws/clients.ts";
import { makeDynamoLaunchAdmission } from "#aws/dynamo-launch-admission.ts";
import type { LaunchAdmission } from "#core/ports.ts";
import type { Settings } from "../environment.ts";
import type { Common } from "./common.ts";

/** One line for launches over all functions, at the rate the deployment allows itself. */
export function makeAdmission(
  { clock, logger }: Common,
  env: { readonly AWS_REGION: string; readonly BULKHEAD_TABLE: string; readonly BULKHEAD_SETTINGS: Settings },
): LaunchAdmission {
  const { launchesPerSecond, launchBurst } = env.BULKHEAD_SETTINGS;
  return makeDynamoLaunchAdmission({
    client: makeDocumentClient(env.AWS_REGION),
    table: env.BULKHEAD_TABLE,
    clock,
    logger,
    perSecond: launchesPerSecond,
    burst: launchBurst,
  });
}
