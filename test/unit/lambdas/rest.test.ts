import type { APIGatewayProxyEvent } from "aws-lambda";
import { describe, expect, it } from "vitest";
import { restPrincipal, restSourceIp } from "../../../lambdas/api/principal.ts";
import { fromResponse, toRequest } from "../../../lambdas/api/rest-event.ts";
import { restEvent } from "../../integration/aws/events.ts";

const bindings = (call: Partial<Parameters<typeof restEvent>[0]>) => ({
  requestContext: restEvent({ method: "GET", path: "/v1/sandboxes", ...call }).requestContext,
});

describe("a REST API's event", () => {
  it("becomes the request that the caller sent", async () => {
    const event = restEvent({
      method: "POST",
      path: "/v1/sandboxes",
      query: { "a b": "c&d", limit: "5" },
      headers: { "Idempotency-Key": "k" },
      body: { template_name: "base" },
    });
    const request = toRequest(event);
    expect(request.method).toBe("POST");
    expect(new URL(request.url).pathname).toBe("/v1/sandboxes");
    expect([...new URL(request.url).searchParams]).toEqual([
      ["a b", "c&d"],
      ["limit", "5"],
    ]);
    expect(request.headers.get("idempotency-key")).toBe("k");
    expect(await request.json()).toEqual({ template_name: "base" });
  });

  it("keeps repeated parameters and encoded bodies", async () => {
    const event: APIGatewayProxyEvent = {
      ...restEvent({ method: "POST", path: "/v1/sandboxes" }),
      multiValueQueryStringParameters: { status: ["running", "creating"] },
      body: Buffer.from('{"a":"ä"}').toString("base64"),
      isBase64Encoded: true,
    };
    const request = toRequest(event);
    expect(new URL(request.url).searchParams.getAll("status")).toEqual(["running", "creating"]);
    expect(await request.json()).toEqual({ a: "ä" });
  });

  it.each([
    "/v1/sandboxes/../../auth/api-keys",
    "/v1/sandboxes/%2e%2E/.%2e/auth/api-keys",
    "/v1/sandboxes/..\\..\\auth\\api-keys\\k1",
    "/v1/sandboxes/.\t./.\n./auth/api-keys",
    "/auth/api-keys?/v1/sandboxes/x",
    "/auth/api-keys#/v1/sandboxes/x",
    "/v1/sandboxes/.",
  ])("leads nowhere with the path %j, by which IAM let its caller call another route", (path) => {
    expect(new URL(toRequest(restEvent({ method: "DELETE", path })).url).pathname).toBe("/");
  });

  it.each(["/v1/sandboxes/17f...x", "/v1/templates/a.b-c_d%20e", "/v1/sandboxes/%2E%2E%2F", "/v1/sandboxes/"])(
    "keeps the path %s",
    (path) => {
      expect(new URL(toRequest(restEvent({ method: "GET", path })).url).pathname).toBe(path);
    },
  );

  it("carries status, headers and body back", async () => {
    const answer = await fromResponse(new Response('{"x":1}', { status: 201, headers: { "X-Request-ID": "req_1" } }));
    expect(answer).toMatchObject({ statusCode: 201, body: '{"x":1}', headers: { "x-request-id": "req_1" } });
  });
});

describe("who the door has let in", () => {
  const principal = restPrincipal("default");

  it("is the key's holder", () => {
    const authorizer = { projectId: "p1", keyId: "k1", scopes: "read,use" };
    expect(principal(bindings({ authorizer }))).toEqual({
      projectId: "p1",
      keyId: "k1",
      scopes: ["read", "use"],
      environment: null,
    });
  });

  it("is the IAM role, without the session name that its holder chooses", () => {
    const userArn = "arn:aws:sts::123456789012:assumed-role/Builder/whatever";
    expect(principal(bindings({ userArn }))).toEqual({
      projectId: "default",
      keyId: "iam:arn:aws:sts::123456789012:assumed-role/Builder",
      scopes: ["admin"],
      environment: null,
    });
  });

  it.each([
    undefined,
    {},
    bindings({}),
    bindings({ authorizer: { projectId: "p1", keyId: "k1", scopes: "everything" } }),
    bindings({ authorizer: { projectId: "", keyId: "k1", scopes: "read" } }),
    bindings({ userArn: "" }),
  ])("is nobody for %o", (given) => {
    expect(principal(given)).toBeUndefined();
  });

  it("comes from the address that API Gateway saw", () => {
    expect(restSourceIp(bindings({ headers: { "X-Forwarded-For": "1.2.3.4" } }))).toBe("203.0.113.9");
    expect(restSourceIp(undefined)).toBeNull();
  });
});
