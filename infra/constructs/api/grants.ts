import type { RestApi } from "aws-cdk-lib/aws-apigateway";
import { Effect, Grant, type IGrantable, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { permissionsOf } from "#contracts/access.ts";
import { type ApiRoute, apiRoutes } from "./routes.ts";

/** What a consumer's role may do: each holds what stands before it. */
export const grantNames = ["read", "use", "manage"] as const;
export type GrantName = (typeof grantNames)[number];

/** The least that a route asks for; null for what only administrators may, who are named one by one in policies of their own. Behind the door of IAM the route is what is granted: within it a role may do all. */
function needed(route: ApiRoute): GrantName | null {
  const { open, needs } = route;
  // A route that says no permission is nobody's, until it does.
  if (open || needs === null) return null;
  return grantNames.find((name) => permissionsOf([name]).has(needs)) ?? null;
}

export function routesOf(name: GrantName): readonly ApiRoute[] {
  const most = grantNames.indexOf(name);
  return apiRoutes.filter((route) => {
    const least = needed(route);
    return least !== null && grantNames.indexOf(least) <= most;
  });
}

const patternOf = ({ method, resource }: ApiRoute) => `${method} ${resource.replaceAll(/\{\w+\}/g, "*")}`;

/** Routes beyond a grant that its patterns match all the same: in IAM `*` also stands for text with slashes. */
function spilled(name: GrantName): readonly ApiRoute[] {
  const given = routesOf(name);
  const beyond = apiRoutes.filter((route) => !route.open && !given.includes(route));
  return beyond.filter((route) =>
    given.some((one) => {
      const parts = patternOf(one)
        .split("*")
        .map((part) => part.replaceAll(/[.+]/g, "\\$&"));
      return one.stage === route.stage && new RegExp(`^${parts.join(".*")}$`).test(patternOf(route));
    }),
  );
}

/** Lets a grantee call exactly the routes of a grant. What its patterns match beyond them is denied, also where another policy allows it. */
export function grantRoutes(api: RestApi, grantee: IGrantable, name: GrantName): Grant {
  const arnOf = ({ method, stage, resource }: ApiRoute) =>
    api.arnForExecuteApi(method, resource.replaceAll(/\{\w+\}/g, "*"), stage);
  const actions = ["execute-api:Invoke"];
  const denied = spilled(name).map(arnOf);
  if (denied.length > 0) {
    const effect = Effect.DENY;
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ effect, actions, resources: denied }));
  }
  return Grant.addToPrincipal({ grantee, actions, resourceArns: routesOf(name).map(arnOf) });
}
