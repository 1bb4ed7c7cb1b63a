import type { APIGatewayAuthorizerResult } from "aws-lambda";
import { readEnvironment } from "#contracts/environment.ts";
import { makeAudit } from "#core/audit.ts";
import { makeKeyService } from "#core/keys.ts";
import { authorizerEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";
import { guarded } from "../parts/guarded.ts";
import { makeStores } from "../parts/ports.ts";
import { type AuthorizerEvent, authorize } from "./authorize.ts";

const env = readEnvironment(authorizerEnvSchema, process.env);
const common = makeCommon("authorizer", env);
const { clock, logger, metrics } = common;
const { stores, settle } = makeStores(common, env);
const keys = makeKeyService({ keys: stores.keys, audit: makeAudit(stores.audit, clock, logger), clock });

/** Lambda authorizer of the door for API keys. Its answers are not cached by API Gateway, so that a revoked key ends within seconds. */
export const handler = guarded(logger, async (event: AuthorizerEvent): Promise<APIGatewayAuthorizerResult> => {
  const answer = await authorize(event, (rawKey) => keys.authenticate(rawKey));
  if (answer.context?.["code"] !== undefined) metrics.count("RefusedAuth");
  await settle();
  return answer;
});
