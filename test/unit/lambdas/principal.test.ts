import { describe, expect, it } from "vitest";
import { iamGrant, iamProjectsSchema } from "../../../lambdas/api/iam-projects.ts";
import { restPrincipal } from "../../../lambdas/api/principal.ts";
import { authorize } from "../../../lambdas/authorizer/authorize.ts";

const session = (role: string, account = "123456789012") =>
  `arn:aws:sts::${account}:assumed-role/${role}/chosen-by-its-holder`;
const caller = (userArn: string) => ({ requestContext: { authorizer: undefined, identity: { userArn } } });
const list = iamProjectsSchema.parse([
  { role: "arn:aws:iam::*:role/TeamA-*", project: "a", scopes: ["use"], environment: "dev" },
  { role: "arn:aws:iam::123456789012:role/Audit.or", project: "b", scopes: ["audit:read"] },
]);

describe("an IAM caller", () => {
  const principal = restPrincipal("default", list);

  it("has the project, scopes and environment of its role", () => {
    expect(principal(caller(session("TeamA-Build")))).toEqual({
      projectId: "a",
      keyId: "iam:arn:aws:sts::123456789012:assumed-role/TeamA-Build",
      scopes: ["use"],
      environment: "dev",
    });
    expect(principal(caller(session("Audit.or")))).toMatchObject({
      projectId: "b",
      scopes: ["audit:read"],
      environment: null,
    });
  });

  it.each(["TeamB", "XTeamA-1", "AuditXor", "Audit.or2"])(
    "is nobody with role %s, which the list does not have",
    (name) => {
      expect(principal(caller(session(name)))).toBeUndefined();
    },
  );

  it("has all of the default project where there is no list", () => {
    expect(restPrincipal("default")(caller(session("TeamB")))).toMatchObject({
      projectId: "default",
      scopes: ["admin"],
      environment: null,
    });
  });

  it.each([
    ["arn:aws:iam::1:role/(a+)+$", "arn:aws:iam::1:role/aaaa", false],
    ["arn:aws:iam::1:role/.*", "arn:aws:iam::1:role/x", false],
    ["arn:aws:iam::*:role/A", "arn:aws:iam::1:x:role/A", false],
    ["arn:aws:iam::1:role/a|b", "arn:aws:iam::1:role/a|b", true],
  ])("matches %s with %s: %s", (role, arn, fits) => {
    const one = iamProjectsSchema.parse([{ role, project: "p", scopes: ["read"] }]);
    expect(iamGrant(one, arn) !== undefined).toBe(fits);
  });

  it("is not described by a role's path, which API Gateway does not tell", () => {
    expect(
      iamProjectsSchema.safeParse([{ role: "arn:aws:iam::1:role/team/a", project: "p", scopes: ["read"] }]).success,
    ).toBe(false);
  });
});

describe("what the authorizer hands on", () => {
  const limits = { maxSandboxes: 2, createsPerMinute: null, requestsPerMinute: 10 };
  const holder = { projectId: "p1", keyId: "k1", scopes: ["use"] as const, environment: "prod" as const, limits };
  const methodArn = "arn:aws:execute-api:eu-west-1:123456789012:abc/v1/GET/sandboxes";
  const seen = (authorizer: unknown) => restPrincipal("default")({ requestContext: { authorizer, identity: {} } });

  it("arrives: environment and limits too", async () => {
    const { answer } = await authorize({ headers: { "x-api-key": "k" }, methodArn }, async () => holder);
    expect(seen(answer.context)).toEqual(holder);
  });

  it.each([{ environment: "moon" }, { limits: "{}" }, { limits: "no JSON" }, { scopes: "everything" }])(
    "is nobody when it cannot be read: %o",
    (broken) => {
      expect(seen({ projectId: "p1", keyId: "k1", scopes: "use", ...broken })).toBeUndefined();
    },
  );
});
