import { Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { permissionsOf } from "#contracts/access.ts";
import { grantNames } from "../../infra/constructs/api/grants.ts";
import { apiRoutes } from "../../infra/constructs/api/routes.ts";
import { flattenReference } from "../../infra/constructs/functions/flatten-reference.ts";
import { SandboxPlatform } from "../../infra/constructs/sandbox-platform.ts";
import { foundation } from "./support/app.ts";
import { givenImages } from "./support/deployment.ts";

const { app, config, network, state } = foundation(givenImages);
// Somebody else's stack in the same app, as a consumer would have it.
const consumer = new Stack(app, "consumer");
const platform = new SandboxPlatform(consumer, "Sandboxes", { config, network, state });
const role = (name: string) => new Role(consumer, name, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
platform.grantRead(role("Reader"));
platform.grantUse(role("User"));
platform.grantManage(role("Manager"));
const template = Template.fromStack(consumer);

const policySchema = z.object({
  Properties: z.object({
    PolicyDocument: z.object({
      Statement: z.array(
        z.object({
          Effect: z.enum(["Allow", "Deny"]),
          Action: z.literal("execute-api:Invoke"),
          Resource: z.union([z.array(z.unknown()), z.unknown()]),
        }),
      ),
    }),
  }),
});

/** What a role's policies let through, matched as IAM matches: `*` is any text. */
function mayCall(roleName: string): (method: string, path: string) => boolean {
  const statements = Object.entries(template.findResources("AWS::IAM::Policy"))
    .filter(([id]) => id.startsWith(roleName))
    .flatMap(([, policy]) => policySchema.parse(policy).Properties.PolicyDocument.Statement);
  const patternsOf = (effect: "Allow" | "Deny") =>
    statements
      .filter(({ Effect }) => Effect === effect)
      .flatMap(({ Resource }) => [Resource].flat())
      .map((resource) => flattenReference(resource));
  const patterns = patternsOf("Allow");
  expect(patterns.length).toBeGreaterThan(0);
  expect(patterns.every((pattern) => pattern.includes("IamDoor"))).toBe(true);
  const tailsOf = (of: readonly string[]) => of.map((pattern) => pattern.slice(pattern.lastIndexOf(">") + 2));
  const allowed = tailsOf(patterns);
  const denied = tailsOf(patternsOf("Deny"));
  return (method, path) => {
    const [, stage = "", ...rest] = path.split("/");
    const matches = (tails: readonly string[]) =>
      tails.some((tail) =>
        new RegExp(`^${tail.replaceAll(/[.{}+]/g, "\\$&").replaceAll("*", ".*")}$`).test(
          `${stage}/${method}/${rest.join("/")}`,
        ),
      );
    return matches(allowed) && !matches(denied);
  };
}

const concrete = (path: string) => path.replaceAll(/\{\w+\}/g, "some-id");
const read = [
  "GET /v1/sandboxes",
  "GET /v1/sandboxes/{id}",
  "GET /v1/sandboxes/{id}/network",
  "GET /v1/egress",
  "GET /v1/secrets",
  "GET /v1/capacity",
  "GET /v1/templates",
  "GET /v1/templates/{name}",
  "GET /v1/templates/build/{id}/status",
  "GET /v1/templates/build/{id}/logs",
];
const use = [
  ...read,
  "POST /v1/sandboxes",
  "DELETE /v1/sandboxes/{id}",
  "PUT /v1/sandboxes/{id}/timeout",
  "PUT /v1/sandboxes/{id}/network",
  ...["token/refresh", "pause", "resume", "start", "stop"].map((verb) => `POST /v1/sandboxes/{id}/${verb}`),
];
const managing = permissionsOf(["manage"]);
const guarded = apiRoutes.filter(({ open }) => !open).map(({ method, path }) => `${method} ${path}`);
const managed = apiRoutes
  .filter(({ open, needs }) => !open && needs !== null && managing.has(needs))
  .map(({ method, path }) => `${method} ${path}`);
const expected = { Reader: read, User: use, Manager: managed };

describe("grants of the platform, in a consumer's stack", () => {
  it("are three", () => {
    expect(grantNames).toEqual(["read", "use", "manage"]);
  });

  it.each(["Reader", "User", "Manager"] as const)("give %s exactly the routes it needs", (name) => {
    const may = mayCall(name);
    const allowed = guarded.filter((route) => {
      const [method = "", path = ""] = route.split(" ");
      return may(method, concrete(path));
    });
    expect(allowed.sort()).toEqual([...expected[name]].sort());
  });

  it.each(["Reader", "User"] as const)("give %s no way to keys, by whichever stage", (name) => {
    const may = mayCall(name);
    for (const method of ["GET", "POST", "PUT", "DELETE"]) {
      for (const path of [
        "/auth/api-keys",
        "/auth/api-keys/x",
        "/v1/api-keys",
        "/health/api-keys",
        "/auth/sandboxes",
      ]) {
        expect(may(method, path), `${method} ${path}`).toBe(false);
      }
    }
  });

  it("tell consumers where to call", () => {
    for (const url of [platform.keyApiUrl, platform.iamApiUrl]) {
      const text = flattenReference(consumer.resolve(url));
      expect(text).toMatch(/^https:\/\/<.*(KeyDoor|IamDoor).*>\.execute-api\.<AWS::Region>\.<AWS::URLSuffix>$/);
    }
    expect(flattenReference(consumer.resolve(platform.gatewayUrl))).toMatch(
      /^https:\/\/<.*Distribution.*\.DomainName>$/,
    );
  });
});
