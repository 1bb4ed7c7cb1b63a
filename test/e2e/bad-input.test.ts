import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { beforeAll, describe, expect, it } from "vitest";
import { processesWith } from "./support/host.ts";
import { agent, ask, type CreatedSandbox, control, createRaw, run } from "./support/http.ts";
import { anyObject, anyText, textLike } from "./support/matchers.ts";
import { bulkhead, type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

let platform: RunningPlatform;
let sandbox: CreatedSandbox;

beforeAll(async () => {
  platform = await startPlatform();
  sandbox = await createRaw(platform);
  return async () => {
    await platform.stop();
  };
});

function post(body: string, headers: Readonly<Record<string, string>> = {}) {
  return ask(platform.url, "/v1/sandboxes", {
    method: "POST",
    headers: { "x-api-key": platform.apiKey, "content-type": "application/json", ...headers },
    body,
  });
}

describe("bad input to the control plane gets a typed error", () => {
  it.each([
    ["an unknown template", { template_name: "nope" }, 404, "TEMPLATE_NOT_FOUND"],
    ["no template", {}, 400, /MISSING_PARAMETER|INVALID_REQUEST/],
    ["a wrong type", { template_name: "base", timeout_seconds: "soon" }, 400, "INVALID_REQUEST"],
    ["an environment of numbers", { template_name: "base", env_vars: { A: 1 } }, 400, "INVALID_REQUEST"],
    ["a negative timeout", { template_name: "base", timeout_seconds: -5 }, 400, "INVALID_REQUEST"],
  ])("%s", async (_, body, status, code) => {
    const answer = await post(JSON.stringify(body));
    expect(answer).toMatchObject({ status });
    expect(answer.body).toMatchObject({ code: textLike(code) });
    expect(answer.body).toMatchObject({
      error: { message: textLike(/.{8,}/), details: anyObject },
    });
    expect(answer.headers["x-request-id"]).toMatch(/^req_/);
  });

  it("bad JSON", async () => {
    expect((await post("{nope")).body).toMatchObject({ code: "INVALID_JSON" });
  });

  it("an oversize body", async () => {
    const answer = await post(JSON.stringify({ template_name: "base", env_vars: { A: "x".repeat(20_000_000) } })).catch(
      (error: unknown) => error,
    );
    // A server that closes the door early may cut the upload short.
    if (answer instanceof Error) expect(answer.message).toMatch(/EPIPE|ECONNRESET|socket hang up/);
    else expect(answer).toMatchObject({ status: 413, body: { code: "PAYLOAD_TOO_LARGE" } });
    expect((await control(platform, "GET", "/health")).status).toBe(200);
  });

  it("an unknown route and a wrong method", async () => {
    expect((await control(platform, "GET", "/v1/nothing")).status).toBe(404);
    expect([404, 405]).toContain((await control(platform, "PATCH", "/v1/sandboxes")).status);
  });

  it("no key, a bad key and an expired key", async () => {
    expect((await ask(platform.url, "/v1/sandboxes")).status).toBe(401);
    expect((await post('{"template_name":"base"}', { "x-api-key": "hopx_live_x" })).status).toBe(401);
    const made = await control(platform, "POST", "/auth/api-keys", { name: "brief", expires_in_seconds: 1 });
    expect(made.status).toBeLessThan(300);
    const { full_key: key } = made.body as { full_key: string };
    const expired = await until("refusal of an expired key", async () => {
      const answer = await ask(platform.url, "/v1/sandboxes", { headers: { "x-api-key": key } });
      return answer.status === 401 && answer;
    });
    expect(expired.body).toMatchObject({ code: "INVALID_API_KEY", message: textLike("expired") });
  });

  it("a sandbox id that is not ours, well formed or not", async () => {
    for (const id of ["1763382095abcdefghij", "nope", "..%2f..%2fetc"]) {
      expect((await control(platform, "GET", `/v1/sandboxes/${id}`)).status).toBe(404);
      expect((await control(platform, "DELETE", `/v1/sandboxes/${id}`)).status).toBe(404);
    }
  });

  it("the same create repeated with an Idempotency-Key makes one sandbox, another body is refused", async () => {
    const headers = { "idempotency-key": "same-create-1" };
    const [first, second] = await Promise.all([createRaw(platform, {}, headers), createRaw(platform, {}, headers)]);
    expect(second.id).toBe(first.id);
    expect((await createRaw(platform, {}, headers)).id).toBe(first.id);
    const other = await control(
      platform,
      "POST",
      "/v1/sandboxes",
      { template_name: "base", timeout_seconds: 60 },
      headers,
    );
    expect(other.status).toBe(409);
    await control(platform, "DELETE", `/v1/sandboxes/${first.id}`);
  });
});

describe("bad input to a sandbox gets a typed error, and the sandbox goes on", () => {
  it.each([
    ["an unknown language", "POST", "/execute", { code: "1", language: "cobol" }, 400, "UNSUPPORTED_LANGUAGE"],
    ["no code", "POST", "/execute", { language: "python" }, 400, /MISSING_PARAMETER|INVALID_REQUEST/],
    ["a file outside the roots", "GET", "/files/read?path=/etc/passwd", undefined, 403, "PATH_NOT_ALLOWED"],
    [
      "dots out of the roots",
      "GET",
      "/files/read?path=/workspace/../etc/passwd",
      undefined,
      403,
      /PATH_NOT_ALLOWED|INVALID_PATH/,
    ],
    ["a write outside the roots", "POST", "/files/write", { path: "/etc/x", content: "x" }, 403, "PATH_NOT_ALLOWED"],
    ["a missing file", "GET", "/files/read?path=/workspace/none", undefined, 404, "FILE_NOT_FOUND"],
    ["no path", "GET", "/files/read", undefined, 400, /MISSING_PARAMETER|INVALID_REQUEST|INVALID_PATH/],
    ["wrong types", "POST", "/commands/run", { command: 7 }, 400, /INVALID_REQUEST|MISSING_PARAMETER/],
  ])("%s", async (_, method, path, body, status, code) => {
    const answer = await agent(sandbox, method, path, body);
    expect(answer).toMatchObject({ status });
    expect(answer.body).toMatchObject({ code: textLike(code) });
    expect(answer.body).toMatchObject({ error: anyText, message: anyText });
  });

  it("no token and a wrong token", async () => {
    const { origin, pathname } = new URL(sandbox.public_host);
    expect((await ask(origin, `${pathname}/files/list`)).status).toBe(401);
    expect((await ask(origin, `${pathname}/files/list`, { headers: { authorization: "Bearer x.y.z" } })).status).toBe(
      401,
    );
  });

  it("a command that ignores SIGTERM ends at its timeout with all it started", async () => {
    const marker = "31415926";
    const answer = await agent(sandbox, "POST", "/commands/run", {
      command: "bash",
      args: ["-c", `trap '' TERM INT HUP; sleep ${marker} & setsid sleep ${marker} & while :; do sleep 0.1; done`],
      timeout: 1,
    });
    expect([200, 408]).toContain(answer.status);
    if (answer.status === 200) expect(answer.body).toMatchObject({ success: false, exit_code: 124 });
    await until("end of the process group", () => processesWith(`sleep ${marker}`).length === 0);
    expect((await run(sandbox, "echo alive")).stdout.trim()).toBe("alive");
  });

  it("a gigabyte of output is cut off with a marker and does not grow the platform", async () => {
    const answer = await agent(sandbox, "POST", "/commands/run", {
      command: "bash",
      args: ["-c", "head -c 1073741824 /dev/zero | tr '\\0' x"],
      timeout: 60,
    });
    expect(answer.status).toBe(200);
    expect(answer.text.length).toBeLessThan(64 * 1024 * 1024);
    expect(answer.text).toMatch(/truncated|cut|omitted|capped/i);
    expect((await run(sandbox, "echo alive")).stdout.trim()).toBe("alive");
  });

  it("a client that hangs up ends what it had started", async () => {
    const marker = "27182818";
    const hangUp = new AbortController();
    const { origin, pathname } = new URL(sandbox.public_host);
    const pending = fetch(`${origin}${pathname}/commands/run`, {
      method: "POST",
      signal: hangUp.signal,
      headers: { authorization: `Bearer ${sandbox.auth_token}`, "content-type": "application/json" },
      body: JSON.stringify({ command: `sleep ${marker}`, timeout: 300 }),
    }).catch(() => undefined);
    await until("the command on the host", () => processesWith(`sleep ${marker}`).length > 0);
    hangUp.abort();
    await pending;
    await until("its end", () => processesWith(`sleep ${marker}`).length === 0);
  });

  it("a full disk is told as such and passes once there is room", async () => {
    const full = await run(
      sandbox,
      "dd if=/dev/zero of=/workspace/fill bs=1M 2>&1 | tail -1; df /workspace | tail -1",
      60,
    );
    expect(full.stdout).toMatch(/\d/);
    const answer = await agent(sandbox, "POST", "/files/write", {
      path: "/workspace/big",
      content: "x".repeat(1_000_000),
    });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body).toMatchObject({ message: textLike(/disk|space|full/i) });
    await run(sandbox, "rm -f /workspace/fill");
    expect((await agent(sandbox, "POST", "/files/write", { path: "/workspace/big", content: "x" })).status).toBe(200);
  });
});

describe("the command line", () => {
  const version = (createRequire(import.meta.url)("../../package.json") as { version: string }).version;

  it.each([
    [["--version"], 0],
    [["--help"], 0],
    [["start", "--help"], 0],
    [["nonsense"], 2],
    [["start", "--port", "high"], 2],
    [["kill"], 2],
    [["ls", "--api-key", "x", "--url", "http://127.0.0.1:1"], 6],
  ])("%j ends with %i", async (args, code) => {
    const ran = await bulkhead(args);
    expect(ran.code).toBe(code);
    if (args[0] === "--version") expect(ran.stdout.trim()).toBe(version);
    if (code !== 0) expect(ran.stderr).not.toMatch(/^\s+at /m);
  });

  it("keeps the data directory and the key to its owner", () => {
    expect(statSync(platform.home).mode & 0o777).toBe(0o700);
    expect(statSync(`${platform.home}/api-key`).mode & 0o777).toBe(0o600);
  });
});
