import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import type { PlatformPorts } from "#core/deps.ts";
import { makePlatform } from "#core/platform.ts";
import { makeControlApp } from "#http/app.ts";
import type { CapacityFacts } from "#http/dependencies.ts";
import { domainAddresses, pathAddresses } from "#http/public-addresses.ts";
import type { Metrics } from "#telemetry/metrics.ts";
import type { Settings } from "../environment.ts";
import { platformConfig } from "../parts/platform-config.ts";
import { restPrincipal, restSourceIp } from "./principal.ts";
import { fromResponse, type RestBindings, toRequest } from "./rest-event.ts";

export interface ApiEnv {
  readonly AWS_REGION: string;
  readonly BULKHEAD_SETTINGS: Settings;
  readonly BULKHEAD_GATEWAY_URL: string;
  readonly BULKHEAD_DOMAIN: string;
}

export interface ApiParts {
  readonly ports: PlatformPorts;
  readonly metrics: Metrics;
  /** Waits for what the core does behind the answer. */
  readonly settle: () => Promise<void>;
  readonly capacity?: () => Promise<CapacityFacts | undefined>;
}

/** The control-plane app behind a REST API, with the ports that the function has. */
export function makeApi(
  env: ApiEnv,
  { ports, metrics, settle, capacity }: ApiParts,
): (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult> {
  const settings = env.BULKHEAD_SETTINGS;
  const addresses =
    env.BULKHEAD_DOMAIN === "" ? pathAddresses(env.BULKHEAD_GATEWAY_URL) : domainAddresses(env.BULKHEAD_DOMAIN);
  const app = makeControlApp({
    platform: makePlatform(platformConfig(settings, env.AWS_REGION), ports),
    logger: ports.logger,
    clock: ports.clock,
    secretValues: ports.secretValues,
    config: {
      organizationId: settings.organizationId,
      publicHost: (id) => addresses.publicHost(id),
      previewUrl: (id) => addresses.previewUrl(id),
      sourceIp: restSourceIp,
      billed: true,
      principal: restPrincipal(settings.defaultProject, settings.iamProjects),
      ...(capacity !== undefined && { capacity }),
    },
  });
  return async (event) => {
    const bindings: RestBindings = { requestContext: event.requestContext };
    const began = ports.clock.now();
    const answer = await fromResponse(await app.fetch(toRequest(event), bindings));
    if (event.httpMethod === "POST" && event.requestContext.path === "/v1/sandboxes") {
      metrics.duration("CreateLatency", ports.clock.now() - began);
      if (answer.statusCode === 429) metrics.count("LaunchesTurnedAway");
    }
    await settle();
    return answer;
  };
}
