import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import type { PlatformPorts } from "#core/deps.ts";
import { makePlatform } from "#core/platform.ts";
import { makeControlApp } from "#http/app.ts";
import { domainAddresses, pathAddresses } from "#http/public-addresses.ts";
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

/** The control-plane app behind a REST API, with the ports that the function has. */
export function makeApi(
  env: ApiEnv,
  ports: PlatformPorts,
  settle: () => Promise<void>,
): (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult> {
  const settings = env.BULKHEAD_SETTINGS;
  const addresses =
    env.BULKHEAD_DOMAIN === "" ? pathAddresses(env.BULKHEAD_GATEWAY_URL) : domainAddresses(env.BULKHEAD_DOMAIN);
  const app = makeControlApp({
    platform: makePlatform(platformConfig(settings, env.AWS_REGION), ports),
    logger: ports.logger,
    clock: ports.clock,
    config: {
      organizationId: settings.organizationId,
      publicHost: (id) => addresses.publicHost(id),
      previewUrl: (id) => addresses.previewUrl(id),
      sourceIp: restSourceIp,
      principal: restPrincipal(settings.defaultProject),
    },
  });
  return async (event) => {
    const bindings: RestBindings = { requestContext: event.requestContext };
    const answer = await fromResponse(await app.fetch(toRequest(event), bindings));
    await settle();
    return answer;
  };
}
