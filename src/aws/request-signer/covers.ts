import type { AwsGrantBody } from "#contracts/control/network.ts";
import { actionPrefix } from "#core/network/session-policy.ts";
import type { AwsEndpoint } from "./endpoints.ts";

/**
 * Whether grants concern an endpoint: an action of its service is among them. An API of API Gateway must be named by its id as well: it
 * may be anybody's, open to everybody, and would otherwise be a way out for data.
 */
export function concern(grants: readonly AwsGrantBody[], { actions: service, apiId }: AwsEndpoint): boolean {
  return grants.some(
    ({ actions, resources }) =>
      actions.some((action) => actionPrefix(action) === service) &&
      (apiId === null || resources.some((arn) => apiOf(arn) === apiId)),
  );
}

/** `abc` of `arn:aws:execute-api:eu-central-1:123456789012:abc/prod/GET/items`. */
function apiOf(arn: string): string | undefined {
  const [, , service, , , resource = ""] = arn.split(":");
  return service === "execute-api" ? resource.split("/")[0] : undefined;
}
