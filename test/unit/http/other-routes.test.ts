import { describe, expect, it } from "vitest";
import { apiKeyAnswerSchema, apiKeyListSchema, createdApiKeySchema } from "#contracts/control/api-keys.ts";
import { acknowledgementSchema } from "#contracts/control/shared.ts";
import { templateListSchema, templateSchema } from "#contracts/control/templates.ts";
import { aText, key, makeHarness, principal } from "./fake-control-plane.ts";

describe("templates", () => {
  it("are listed all in one page, filtered by category and language", async () => {
    const { call } = makeHarness();
    const all = await call("GET", "/v1/templates?category=&language=python");
    expect(all.status).toBe(200);
    const body = templateListSchema.strict().parse(await all.json());
    expect(body.data).toHaveLength(1);
    expect(body.data[0]).not.toHaveProperty("request_id");
    const none = await call("GET", "/v1/templates?category=desktop");
    expect(await none.json()).toMatchObject({ data: [], has_more: false });
  });

  it.each(["code-interpreter", "2"])("are found by name or id: %s", async (name) => {
    const { call } = makeHarness();
    const answer = await call("GET", `/v1/templates/${name}`);
    expect(templateSchema.strict().parse(await answer.json())).toMatchObject({
      id: "2",
      organization_id: "1",
      is_active: true,
      default_resources: { vcpu: 2, memory_mb: 1024, disk_gb: 2 },
      request_id: answer.headers.get("x-request-id"),
    });
  });

  it("that are unknown are 404 without the word that JavaScript takes for an expired sandbox", async () => {
    const { call } = makeHarness();
    const answer = await call("GET", "/v1/templates/nope");
    expect(answer.status).toBe(404);
    const body = await answer.json();
    expect(body).toMatchObject({ code: "TEMPLATE_NOT_FOUND", message: aText(/nope not found/) });
    expect(JSON.stringify(body)).not.toMatch(/sandbox/i);
  });

  it("cannot be deleted", async () => {
    const { call } = makeHarness();
    expect((await call("DELETE", "/v1/templates/code-interpreter")).status).toBe(403);
    expect((await call("DELETE", "/v1/templates/nope")).status).toBe(404);
  });

  it.each([
    ["POST", "/v1/templates/files/upload-link"],
    ["POST", "/v1/templates/build"],
    ["GET", "/v1/templates/build/b1/status"],
    ["GET", "/v1/templates/build/b1/logs"],
  ])("cannot be built yet: %s %s", async (method, path) => {
    const { call } = makeHarness();
    const answer = await call(method, path);
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ code: "CONFLICT", details: { feature: "template_build" } });
  });
});

describe("API keys", () => {
  it.each([
    [{ name: "ci" }, undefined],
    [{ name: "ci", expires_in: "1month" }, 30 * 86_400],
    [{ name: "ci", expires_in: "1year", expires_in_seconds: null }, 365 * 86_400],
    [{ name: "ci", expires_in: "never" }, null],
    [{ name: "ci", expires_in_seconds: 60 }, 60],
  ])("are made from %j", async (body, expiresInSeconds) => {
    const { call, calls } = makeHarness();
    const answer = await call("POST", "/auth/api-keys", { body });
    expect(answer.status).toBe(201);
    const made = createdApiKeySchema.strict().parse(await answer.json());
    expect(made.full_key).toBe(key);
    expect(JSON.stringify(made.api_key)).not.toContain(key);
    expect(calls.at(-1)?.args.slice(0, 2)).toEqual([principal, { name: "ci", expiresInSeconds }]);
  });

  it("are made with scopes", async () => {
    const { call, calls } = makeHarness();
    await call("POST", "/auth/api-keys", { body: { name: "ci", scopes: ["read"] } });
    expect(calls.at(-1)?.args[1]).toMatchObject({ scopes: ["read"] });
  });

  it.each([
    [{}, "name"],
    [{ name: "  " }, "name"],
    [{ name: "x", expires_in: "2days" }, "expires_in"],
    [{ name: "x", expires_in_seconds: 0 }, "expires_in_seconds"],
    [{ name: "x", expires_in: "1month", expires_in_seconds: 5 }, "expires_in_seconds"],
    [{ name: "x", scopes: ["root"] }, "scopes.0"],
  ])("are refused from %j", async (body, path) => {
    const { call } = makeHarness();
    const answer = await call("POST", "/auth/api-keys", { body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "INVALID_REQUEST", details: { issues: [{ path }] } });
  });

  it("are listed with their state and without hash", async () => {
    const { call } = makeHarness();
    const answer = await call("GET", "/auth/api-keys");
    const text = await answer.text();
    const body = apiKeyListSchema.strict().parse(JSON.parse(text));
    expect(body.count).toBe(3);
    expect(body.api_keys.map((one) => one.status)).toEqual(["active", "expired", "revoked"]);
    expect(body.api_keys[0]).toMatchObject({ prefix: "hopx_live_AbCdEf123456", expires_at: null });
    expect(text).not.toContain("hhhh");
  });

  it("are got and revoked by id", async () => {
    const { call, calls } = makeHarness();
    const got = await call("GET", "/auth/api-keys/ZzZzZz000000");
    expect(apiKeyAnswerSchema.strict().parse(await got.json()).api_key.id).toBe("ZzZzZz000000");
    expect((await call("GET", "/auth/api-keys/none")).status).toBe(404);
    const gone = await call("DELETE", "/auth/api-keys/ZzZzZz000000");
    expect(gone.status).toBe(200);
    acknowledgementSchema.parse(await gone.json());
    expect(calls.at(-1)).toMatchObject({ name: "keys.revoke", args: [principal, "ZzZzZz000000", expect.anything()] });
  });
});
