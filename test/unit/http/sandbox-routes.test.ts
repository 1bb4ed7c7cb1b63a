import { describe, expect, it } from "vitest";
import {
  createdSandboxSchema,
  deletedSandboxSchema,
  sandboxListSchema,
  sandboxSchema,
  statusAnswerSchema,
  timeoutSchema,
  tokenSchema,
} from "#contracts/control/sandboxes.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { closedPolicy } from "#core/network/policy.ts";
import { anything, aSandbox, aText, id, makeHarness, now, principal, unknownId } from "./fake-control-plane.ts";

describe("POST /v1/sandboxes", () => {
  it("answers 201 with the full sandbox and its token, in exact types", async () => {
    const { call } = makeHarness();
    const answer = await call("POST", "/v1/sandboxes", { body: { template_name: "code-interpreter" } });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    const body = createdSandboxSchema.strict().parse(await answer.json());
    expect(body).toMatchObject({
      id,
      sandbox_id: id,
      organization_id: 1,
      template_id: "2",
      status: "running",
      public_host: `http://127.0.0.1:8081/s/${id}`,
      resources: { vcpu: 2, memory_mb: 1024, disk_mb: 2048 },
      created_at: "2026-11-22T12:00:00.007Z",
      expires_at: "2026-11-22T12:10:00.007Z",
      token_expires_at: "2026-11-23T12:00:00.007Z",
      request_id: answer.headers.get("x-request-id"),
    });
  });

  it("passes everything on in the core's words", async () => {
    const { call, calls } = makeHarness({}, { sourceIp: () => "10.1.2.3" });
    await call("POST", "/v1/sandboxes", {
      headers: { "idempotency-key": "once", "user-agent": "a".repeat(300) },
      body: {
        template_name: "base",
        region: "eu",
        timeout_seconds: 60,
        idle_timeout_seconds: 30,
        max_lifetime_seconds: 90,
        internet_access: false,
        env_vars: { A: "1" },
        vcpu: 64,
      },
    });
    const made = calls.find((one) => one.name === "sandboxes.create");
    expect(made?.args).toEqual([
      principal,
      {
        template: { name: "base" },
        timeoutSeconds: 60,
        idleTimeoutSeconds: 30,
        maxLifetimeSeconds: 90,
        network: closedPolicy,
        env: { A: "1" },
      },
      {
        requestId: aText(/^req_[a-z0-9]{20}$/),
        sourceIp: "10.1.2.3",
        startedAt: now,
        userAgent: "a".repeat(256),
        idempotencyKey: "once",
        bodyHash: aText(/^[0-9a-f]{64}$/),
        signal: anything(),
      },
    ]);
  });

  it.each([
    [{ template_id: 2 }, { template: { id: "2" } }],
    [{ template_id: "2" }, { template: { id: "2" } }],
    [
      { template_name: "x", timeout_seconds: 0 },
      { template: { name: "x" }, timeoutSeconds: null, env: {} },
    ],
    [
      { template_name: "x", timeout_seconds: null, env_vars: null, region: null },
      { timeoutSeconds: null, env: {} },
    ],
  ])("understands %j", async (body, input) => {
    const { call, calls } = makeHarness();
    expect((await call("POST", "/v1/sandboxes", { body })).status).toBe(201);
    expect(calls.at(-1)?.args[1]).toMatchObject(input);
  });

  it("hashes the meaning of a body, not its spelling", async () => {
    const { call, calls } = makeHarness();
    const hashes = [];
    for (const body of [
      '{"template_name":"x","env_vars":{"A":"1","B":"2"}}',
      ' {"env_vars": {"B":"2", "A":"1"}, "template_name": "x"}',
      '{"template_name":"x","env_vars":{"A":"2","B":"1"}}',
    ]) {
      await call("POST", "/v1/sandboxes", { body });
      hashes.push(calls.at(-1)?.args[2]);
    }
    const [first, same, other] = hashes as { bodyHash: string }[];
    expect(same?.bodyHash).toBe(first?.bodyHash);
    expect(other?.bodyHash).not.toBe(first?.bodyHash);
  });

  it.each([
    [{ template_name: 5 }, "template_name"],
    [{ template_id: 1.5 }, "template_id"],
    [{ template_id: { value: "2" } }, "template_id"],
    [{ template_name: "" }, "template_name"],
    [{ template_name: "x", timeout_seconds: -1 }, "timeout_seconds"],
    [{ template_name: "x", timeout_seconds: "60" }, "timeout_seconds"],
    [{ template_name: "x", timeout_seconds: 1.5 }, "timeout_seconds"],
    [{ template_name: "x", idle_timeout_seconds: 0 }, "idle_timeout_seconds"],
    [{ template_name: "x", max_lifetime_seconds: 1e12 }, "max_lifetime_seconds"],
    [{ template_name: "x", internet_access: "yes" }, "internet_access"],
    [{ template_name: "x", env_vars: ["A"] }, "env_vars"],
    [{ template_name: "x", env_vars: { A: 1 } }, "env_vars.A"],
    [{ template_name: "x", env_vars: { "A-B": "1" } }, "env_vars.A-B"],
    [{ template_name: "x", env_vars: { A: "a\0b" } }, "env_vars.A"],
    [
      {
        template_name: "x",
        env_vars: Object.fromEntries(["A", "B", "C"].map((name) => [name, "a".repeat(100 * 1024)])),
      },
      "env_vars",
    ],
    [{ template_name: "x", env_vars: { A: "a".repeat(128 * 1024) } }, "env_vars.A"],
    [[], ""],
  ])("refuses %j, naming the field", async (body, path) => {
    const { call, calls } = makeHarness();
    const answer = await call("POST", "/v1/sandboxes", { body });
    expect(answer.status).toBe(400);
    const told = await answer.json();
    expect(told).toMatchObject({ code: "INVALID_REQUEST", details: { issues: [{ path }] } });
    expect(calls.map((one) => one.name)).not.toContain("sandboxes.create");
  });

  it("never tells or logs a value of env_vars", async () => {
    const { call, lines } = makeHarness();
    const answers = [
      await call("POST", "/v1/sandboxes", { body: { template_name: "x", env_vars: { A: "s3cret\0" } } }),
      await call("POST", "/v1/sandboxes", { body: { template_name: "x", env_vars: { A: "s3cret" } } }),
      await call("POST", "/v1/sandboxes", { body: '{"env_vars":{"A":"s3cret"' }),
    ];
    for (const answer of answers) expect(await answer.text()).not.toContain("s3cret");
    expect(JSON.stringify(lines)).not.toContain("s3cret");
  });

  it("asks for a template when there is none", async () => {
    const { call } = makeHarness();
    const answer = await call("POST", "/v1/sandboxes");
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "MISSING_PARAMETER" });
  });

  it.each(["", "x".repeat(256), "tab\tbed"])("refuses the idempotency key %j", async (given) => {
    const { call } = makeHarness();
    const answer = await call("POST", "/v1/sandboxes", {
      headers: { "idempotency-key": given },
      body: { template_name: "x" },
    });
    expect(answer.status).toBe(400);
  });

  it("tells an unknown template with 404 and no word that JavaScript takes for an expired sandbox", async () => {
    const { call } = makeHarness({
      sandboxes: {
        create: async () => {
          throw new BulkheadError("TEMPLATE_NOT_FOUND", "Template x not found.");
        },
      },
    });
    const answer = await call("POST", "/v1/sandboxes", { body: { template_name: "x" } });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: { code: "TEMPLATE_NOT_FOUND" }, code: "TEMPLATE_NOT_FOUND" });
  });
});

describe("GET /v1/sandboxes", () => {
  it("answers a page", async () => {
    const { call, calls } = makeHarness({
      sandboxes: { list: async () => ({ items: [aSandbox(), aSandbox()], nextCursor: "c2" }) },
    });
    const answer = await call("GET", "/v1/sandboxes?limit=2&cursor=c1&status=deleted&region=eu");
    expect(answer.status).toBe(200);
    expect(sandboxListSchema.strict().parse(await answer.json())).toMatchObject({ has_more: true, next_cursor: "c2" });
    expect(calls.at(-1)?.args[1]).toEqual({
      limit: 2,
      cursor: "c1",
      statuses: ["deleting", "deleted", "failed"],
      region: "eu",
    });
  });

  it("has no more when there is no cursor, and takes empty or too large parameters kindly", async () => {
    const { call, calls } = makeHarness();
    const answer = await call("GET", "/v1/sandboxes?limit=500&cursor=&status=&region=");
    expect(await answer.json()).toMatchObject({ has_more: false, next_cursor: null });
    expect(calls.at(-1)?.args[1]).toEqual({ limit: 100, cursor: null, statuses: null, region: null });
  });

  it.each(["limit=0", "limit=x", "limit=1.5", "status=happy"])("refuses ?%s", async (query) => {
    const { call } = makeHarness();
    const answer = await call("GET", `/v1/sandboxes?${query}`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ details: { issues: [{ path: query.split("=")[0] }] } });
  });
});

describe("one sandbox", () => {
  it("is shown with its deadlines and what enforces its limits", async () => {
    const { call } = makeHarness();
    const answer = await call("GET", `/v1/sandboxes/${id}`);
    expect(answer.status).toBe(200);
    expect(sandboxSchema.strict().parse(await answer.json())).toMatchObject({
      timeout_seconds: 600,
      idle_timeout_seconds: 3600,
      max_lifetime_seconds: 86_400,
      last_activity_at: "2026-11-22T12:00:00.007Z",
      end_reason: null,
      enforced: { memory: "cgroup-v2" },
    });
  });

  it.each([
    ["deleting", "deleted"],
    ["failed", "deleted"],
    ["creating", "creating"],
  ] as const)("that is %s reads %s", async (status, told) => {
    const { call } = makeHarness({
      sandboxes: { get: async () => aSandbox({ status, instanceId: null, startedAt: null, enforced: null }) },
    });
    const body = sandboxSchema.parse(await (await call("GET", `/v1/sandboxes/${id}`)).json());
    expect(body.status).toBe(told);
    expect(body).not.toHaveProperty("node_id");
    expect(body).not.toHaveProperty("started_at");
  });

  it("without a timeout expires with its lifetime, and a timeout never reaches past it", async () => {
    for (const timeoutAt of [null, now + 1e12]) {
      const { call } = makeHarness({
        sandboxes: { get: async () => aSandbox({ deadlines: { ...aSandbox().deadlines, timeoutAt } }) },
      });
      const answer = await call("GET", `/v1/sandboxes/${id}`);
      expect(await answer.json()).toMatchObject({ expires_at: "2026-11-23T12:00:00.007Z" });
    }
  });

  it("is ended with a JSON answer although the request has an empty JSON body", async () => {
    const { call, calls } = makeHarness();
    const answer = await call("DELETE", `/v1/sandboxes/${id}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    deletedSandboxSchema.strict().parse(await answer.json());
    expect(calls.at(-1)).toMatchObject({ name: "sandboxes.kill", args: [principal, id, expect.anything()] });
  });

  it.each([
    [300, 300, "2026-11-22T12:05:00.007Z"],
    [0, null, "2026-11-23T12:00:00.007Z"],
    [null, null, "2026-11-23T12:00:00.007Z"],
  ])("takes a timeout of %j", async (asked, told, expires) => {
    const { call } = makeHarness();
    const answer = await call("PUT", `/v1/sandboxes/${id}/timeout`, { body: { timeout_seconds: asked } });
    expect(answer.status).toBe(200);
    const body = timeoutSchema.strict().parse(await answer.json());
    expect(body).toMatchObject({ id, timeout_seconds: told, expires_at: expires });
  });

  it.each([{}, { timeout_seconds: -5 }, { timeout_seconds: "5" }, undefined])("refuses timeout %j", async (body) => {
    const { call } = makeHarness();
    const answer = await call("PUT", `/v1/sandboxes/${id}/timeout`, { body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ details: { issues: [{ path: "timeout_seconds" }] } });
  });

  it("gives another token at each refresh", async () => {
    const { call } = makeHarness();
    const tokens = [];
    for (let round = 0; round < 2; round++) {
      const answer = await call("POST", `/v1/sandboxes/${id}/token/refresh`);
      expect(answer.status).toBe(200);
      tokens.push(tokenSchema.strict().parse(await answer.json()).auth_token);
    }
    expect(new Set(tokens).size).toBe(2);
  });

  it.each([
    ["GET", ""],
    ["DELETE", ""],
    ["PUT", "/timeout"],
    ["POST", "/token/refresh"],
    ["POST", "/pause"],
  ])("%s %s of an unknown id is 404, of an impossible one too, without asking", async (method, suffix) => {
    const { call, calls } = makeHarness();
    const body = method === "PUT" ? { timeout_seconds: 5 } : undefined;
    const answer = await call(method, `/v1/sandboxes/${unknownId}${suffix}`, { body });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({
      code: "SANDBOX_NOT_FOUND",
      message: `Sandbox ${unknownId} not found`,
    });
    const asked = calls.length;
    const impossible = await call(method, `/v1/sandboxes/..%2f${"A".repeat(99)}${suffix}`, { body });
    expect(impossible.status).toBe(404);
    expect(calls.slice(asked).map((one) => one.name)).toEqual(["keys.authenticate"]);
  });

  it("that has ended is 410 with the reason at both levels", async () => {
    const details = {
      sandbox_id: id,
      status: "deleted",
      created_at: "2026-11-22T12:00:00.007Z",
      expires_at: "2026-11-22T12:10:00.007Z",
      end_reason: "idle",
    };
    const { call } = makeHarness({
      sandboxes: {
        get: async () => {
          throw new BulkheadError("SANDBOX_EXPIRED", "Sandbox ended: idle", { details });
        },
      },
    });
    const answer = await call("GET", `/v1/sandboxes/${id}`);
    expect(answer.status).toBe(410);
    expect(await answer.json()).toMatchObject({ code: "SANDBOX_EXPIRED", ...details, error: { details } });
  });

  it.each([
    ["pause", "paused", true],
    ["resume", "running", true],
    ["stop", "stopped", false],
    ["start", "running", true],
  ])("%s answers what it is then, and whether it is charged", async (action, status, billed) => {
    const { call, calls } = makeHarness({}, { billed: true });
    // Clients send an empty body that they call JSON.
    const answer = await call("POST", `/v1/sandboxes/${id}/${action}`, {
      headers: { "content-type": "application/json" },
    });
    expect(answer.status).toBe(200);
    expect(statusAnswerSchema.strict().parse(await answer.json())).toMatchObject({
      id,
      status,
      compute_billed: billed,
    });
    expect(calls.map((one) => one.name)).toContain(`sandboxes.${action}`);
  });

  it("charges nothing where no provider does", async () => {
    const { call } = makeHarness();
    expect(await (await call("GET", `/v1/sandboxes/${id}`)).json()).toMatchObject({ compute_billed: false });
  });
});
