import type { RestApi } from "aws-cdk-lib/aws-apigateway";
import { Grant, type IGrantable } from "aws-cdk-lib/aws-iam";
import { type ApiRoute, apiRoutes } from "./routes.ts";

/** What a consumer's role may do: each holds what stands before it. */
export const grantNames = ["read", "use", "manage"] as const;
export type GrantName = (typeof grantNames)[number];

const isOf = (route: ApiRoute, start: string) => route.path.startsWith(start);

/** The least that a route asks for. Behind the door of IAM the route is what is granted: within it a role may do all. */
function needed(route: ApiRoute): GrantName | null {
  if (route.open) return null;
  if (isOf(route, "/auth/")) return "manage";
  if (route.method === "GET") return "read";
  return isOf(route, "/v1/sandboxes") ? "use" : "manage";
}

export function routesOf(name: GrantName): readonly ApiRoute[] {
  const most = grantNames.indexOf(name);
  return apiRoutes.filter((route) => {
    const least = needed(route);
    return least !== null && grantNames.indexOf(least) <= most;
  });
}

/** Lets a grantee call exactly the routes of a grant. */
export function grantRoutes(api: RestApi, grantee: IGrantable, name: GrantName): Grant {
  return Grant.addToPrincipal({
    grantee,
    actions: ["execute-api:Invoke"],
    resourceArns: routesOf(name).map(({ method, stage, resource }) =>
      api.arnForExecuteApi(method, resource.replaceAll(/\{\w+\}/g, "*"), stage),
    ),
  });
}
