import type { APIGatewayAuthorizerResult } from "aws-lambda";
import { readEnvironment } from "#contracts/environment.ts";
import { makeMetricSignals } from "#core/alerts/metric-signals.ts";
import { makeAudit, platformProject } from "#core/audit.ts";
import { makeKeyService, refusedKeyOf } from "#core/keys.ts";
import { authorizerEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";
import { guarded } from "../parts/guarded.ts";
import { makeStores } from "../parts/ports.ts";
import { type AuthorizerEvent, authorize, sourceIpOf } from "./authorize.ts";

const env = readEnvironment(authorizerEnvSchema, process.env);
const common = makeCommon("authorizer", env);
const { clock, logger, metrics } = common;
const { stores, settle } = makeStores(common, env);
const audit = makeAudit(stores.audit, clock, logger);
const keys = makeKeyService({ keys: stores.keys, audit, clock, signals: makeMetricSignals(metrics, logger) });

/** Lambda authorizer of the door for API keys. Its answers are not cached by API Gateway, so that a revoked key ends within seconds. */
export const handler = guarded(logger, async (event: AuthorizerEvent): Promise<APIGatewayAuthorizerResult> => {
  const { answer, refusal } = await authorize(event, (rawKey, shown) => keys.authenticate(rawKey, shown));
  if (refusal !== undefined) {
    metrics.count("RefusedAuth");
    const { projectId, keyId } = refusedKeyOf(refusal) ?? { projectId: platformProject, keyId: "nobody" };
    const context = { requestId: event.requestContext?.requestId ?? "", sourceIp: sourceIpOf(event), userAgent: null };
    audit.note({ projectId, actor: keyId, action: "auth.refuse", target: null, context }, "refused", {
      code: refusal.code,
    });
  }
  await settle();
  return answer;
});
