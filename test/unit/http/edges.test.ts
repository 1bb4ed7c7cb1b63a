import { describe, expect, it } from "vitest";
import { errorBodySchema } from "#contracts/control/shared.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { aText, id, key, makeHarness } from "./fake-control-plane.ts";

const gets = ["/v1/sandboxes", `/v1/sandboxes/${id}`, "/v1/templates", "/auth/api-keys"];

describe("the doors", () => {
  it("/health is open", async () => {
    const answer = await makeHarness().app.request("/health");
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ status: "healthy" });
    expect(answer.headers.get("x-request-id")).toMatch(/^req_/);
  });

  it.each(gets)("%s takes the key in either header", async (path) => {
    const { app } = makeHarness();
    for (const headers of [
      { "X-API-Key": key },
      { Authorization: `Bearer ${key}` },
      { authorization: `bearer ${key}` },
    ]) {
      expect((await app.request(path, { headers })).status).toBe(200);
    }
  });

  it.each(gets)("%s is closed without a key and with a wrong one", async (path) => {
    const { app } = makeHarness();
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Basic abc" }, { "x-api-key": " " }]) {
      const answer = await app.request(path, { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(await answer.json()).toMatchObject({ code: "AUTHENTICATION_REQUIRED" });
    }
    const wrong = await app.request(path, { headers: { "x-api-key": "hopx_live_wrong" } });
    expect(wrong.status).toBe(401);
    const body = await wrong.text();
    expect(JSON.parse(body)).toMatchObject({ code: "INVALID_API_KEY" });
    expect(body).not.toContain("hopx_live_wrong");
  });

  it("authenticates before it reads a body", async () => {
    const { app } = makeHarness();
    expect((await app.request("/v1/sandboxes", { method: "POST", body: "{" })).status).toBe(401);
  });
});

describe("bodies", () => {
  it.each(["{", "{'a':1}", "nope", "\u0000"])("that are not JSON are INVALID_JSON: %j", async (body) => {
    const answer = await makeHarness().call("POST", "/v1/sandboxes", { body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "INVALID_JSON" });
  });

  it("that are not UTF-8 are INVALID_JSON", async () => {
    const { app } = makeHarness();
    const body = new Uint8Array([0x22, 0xff, 0x22]);
    const answer = await app.request("/v1/sandboxes", { method: "POST", headers: { "x-api-key": key }, body });
    expect(await answer.json()).toMatchObject({ code: "INVALID_JSON" });
  });

  it("that are too large are refused, announced or not", async () => {
    const { app, calls } = makeHarness();
    const body = `{"template_name":"${"x".repeat(1024 * 1024)}"}`;
    for (const headers of [{ "content-length": String(body.length) }, {}]) {
      const answer = await app.request("/v1/sandboxes", {
        method: "POST",
        headers: { "x-api-key": key, ...headers },
        body,
      });
      expect(answer.status).toBe(413);
      expect(await answer.json()).toMatchObject({ code: "PAYLOAD_TOO_LARGE", details: { limit_bytes: 1024 * 1024 } });
    }
    expect(calls.map((one) => one.name)).not.toContain("sandboxes.create");
  });

  it("that are nested beyond reason do no harm", async () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    const { call } = makeHarness();
    const answers = await Promise.all([
      call("POST", "/v1/sandboxes", { body: deep }),
      call("POST", "/v1/sandboxes", { body: `{"template_name":"x","extra":${deep}}` }),
      call("POST", "/v1/sandboxes", { body: `{"template_name":"x","env_vars":{"A":${deep}}}` }),
    ]);
    expect(answers.map((answer) => answer.status)).toEqual([400, 201, 400]);
  });

  it("are understood under any content type", async () => {
    const { call } = makeHarness();
    const answer = await call("POST", "/v1/sandboxes", {
      headers: { "content-type": "text/plain" },
      body: { template_name: "x" },
    });
    expect(answer.status).toBe(201);
  });
});

describe("failures", () => {
  it("of unknown kind say nothing of themselves and are logged with the request id", async () => {
    const boom = new Error("password=hunter2 at /srv/secret");
    const { call, lines } = makeHarness({
      sandboxes: {
        get: async () => {
          throw boom;
        },
      },
    });
    const answer = await call("GET", `/v1/sandboxes/${id}`);
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(text).not.toMatch(/hunter2|srv/);
    expect(JSON.parse(text)).toMatchObject({ code: "INTERNAL_ERROR" });
    const requestId = answer.headers.get("x-request-id");
    expect(lines.find((line) => line.level === "error")?.fields).toMatchObject({ requestId, error: boom });
  });

  it("carry Retry-After when a time is known", async () => {
    const { call } = makeHarness({
      sandboxes: {
        create: async () => {
          throw new BulkheadError("CAPACITY_EXHAUSTED", "Full.", { details: { retry_after_seconds: 1.2 } });
        },
      },
    });
    const answer = await call("POST", "/v1/sandboxes", { body: { template_name: "x" } });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("2");
  });

  it("all have the union body and the request id in three places", async () => {
    const { call, app } = makeHarness();
    const answers = [
      await call("GET", "/nope"),
      await call("GET", "/v1/nope"),
      await call("PATCH", "/v1/sandboxes"),
      await call("POST", "/v1/sandboxes", { body: "{" }),
      await app.request("/v1/templates"),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([404, 404, 405, 400, 401]);
    for (const answer of answers) {
      expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
      const body = errorBodySchema.strict().parse(await answer.json());
      expect(body.request_id).toBe(answer.headers.get("x-request-id"));
      expect(body.error).toEqual({
        code: body.code,
        message: body.message,
        request_id: body.request_id,
        retryable: body.retryable,
        details: body.details,
      });
    }
  });

  it.each([
    ["PATCH", "/v1/sandboxes", "POST, GET, HEAD"],
    ["POST", "/health", "GET, HEAD"],
    ["GET", `/v1/sandboxes/${id}/timeout`, "PUT"],
    ["PUT", "/v1/templates/x", "GET, DELETE, HEAD"],
  ])("%s %s is METHOD_NOT_ALLOWED and says what is", async (method, path, allow) => {
    const answer = await makeHarness().call(method, path);
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe(allow);
    expect(await answer.json()).toMatchObject({ code: "METHOD_NOT_ALLOWED" });
  });
});

describe("the request log", () => {
  it("has one line per request: pattern, status, who; never the key or an id", async () => {
    const { call, app, lines } = makeHarness();
    const answer = await call("GET", `/v1/sandboxes/${id}?cursor=abc`);
    await app.request("/nope/secret-path");
    expect(lines).toEqual([
      {
        level: "info",
        message: "request",
        fields: {
          requestId: answer.headers.get("x-request-id"),
          method: "GET",
          route: "/v1/sandboxes/:id",
          status: 200,
          ms: 0,
          projectId: "p1",
          keyId: "AbCdEf123456",
        },
      },
      {
        level: "info",
        message: "request",
        fields: {
          requestId: aText(/^req_/),
          method: "GET",
          route: aText(/^[/*]*$/),
          status: 404,
          ms: 0,
          projectId: undefined,
          keyId: undefined,
        },
      },
    ]);
    const text = JSON.stringify(lines);
    expect(text).not.toContain("kkkk");
    expect(text).not.toContain("secret-path");
  });

  it("gives each request its own id", async () => {
    const { call } = makeHarness();
    const ids = [];
    for (let round = 0; round < 3; round++) ids.push((await call("GET", "/health")).headers.get("x-request-id"));
    expect(new Set(ids).size).toBe(3);
  });
});
