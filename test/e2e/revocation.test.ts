import { once } from "node:events";
import { beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { ask, type CreatedSandbox, control, createRaw } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

let platform: RunningPlatform;

beforeAll(async () => {
  platform = await startPlatform();
  return async () => {
    await platform.stop();
  };
});

interface MadeKey {
  readonly api_key: { readonly id: string };
  readonly full_key: string;
}

async function makeKey(body: Readonly<Record<string, unknown>>): Promise<MadeKey> {
  const answer = await control(platform, "POST", "/auth/api-keys", body);
  expect(answer.status).toBe(201);
  return answer.body as MadeKey;
}

const withKey = (path: string, key: string) => ask(platform.url, path, { headers: { "x-api-key": key } });
const atGateway = (sandbox: CreatedSandbox, headers: Readonly<Record<string, string>>) =>
  ask(platform.gatewayUrl, `/s/${sandbox.id}/files/list?path=/workspace`, { headers });

/** A terminal: nothing happens on it, so nothing but a look can end it. */
async function terminal(sandbox: CreatedSandbox, headers: Readonly<Record<string, string>>) {
  const socket = new WebSocket(`${platform.gatewayUrl.replace("http", "ws")}/s/${sandbox.id}/terminal`, { headers });
  await once(socket, "open");
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  return { socket, closed };
}

describe("a key that is revoked", () => {
  it("is refused within five seconds by the API, by the gateway and on open WebSockets, and its tokens with it", async () => {
    const { api_key, full_key } = await makeKey({ name: "leaked", scopes: ["use"] });
    const other = await makeKey({ name: "other", scopes: ["use"] });
    const leaked = { url: platform.url, apiKey: full_key };
    const sandbox = await createRaw({ ...platform, ...leaked });
    const refreshed = await ask(platform.url, `/v1/sandboxes/${sandbox.id}/token/refresh`, {
      method: "POST",
      headers: { "x-api-key": other.full_key },
    });
    const otherToken = (refreshed.body as { auth_token: string }).auth_token;
    const byKey = await terminal(sandbox, { "x-api-key": full_key });
    const byToken = await terminal(sandbox, { authorization: `Bearer ${sandbox.auth_token}` });
    const byOther = await terminal(sandbox, { authorization: `Bearer ${otherToken}` });

    expect((await control(platform, "DELETE", `/auth/api-keys/${api_key.id}`)).status).toBe(200);
    const within = { timeoutMs: 5000, everyMs: 100 };
    await until("REST refuses it", async () => (await withKey("/v1/sandboxes", full_key)).status === 401, within);
    await until(
      "the gateway refuses it",
      async () => (await atGateway(sandbox, { "x-api-key": full_key })).status === 401,
      within,
    );
    await until(
      "the gateway refuses its token",
      async () => (await atGateway(sandbox, { authorization: `Bearer ${sandbox.auth_token}` })).status === 401,
      within,
    );
    expect(await Promise.all([byKey.closed, byToken.closed])).toEqual([4401, 4401]);
    // What another key was given is not concerned.
    expect((await atGateway(sandbox, { authorization: `Bearer ${otherToken}` })).status).toBe(200);
    expect(byOther.socket.readyState).toBe(WebSocket.OPEN);
    byOther.socket.terminate();
  });

  it("that was rotated works on for the overlap, and the new one at once", async () => {
    const { api_key, full_key } = await makeKey({ name: "rotating", scopes: ["read"], environment: "staging" });
    const rotated = await control(platform, "POST", `/auth/api-keys/${api_key.id}/rotate`, { overlap_seconds: 1 });
    expect(rotated).toMatchObject({
      status: 201,
      body: { api_key: { name: "rotating", scopes: ["read"], environment: "staging" } },
    });
    expect((await withKey("/v1/sandboxes", (rotated.body as MadeKey).full_key)).status).toBe(200);
    await until("the old one ends", async () => (await withKey("/v1/sandboxes", full_key)).status === 401, {
      timeoutMs: 6000,
    });
  });
});

describe("keys of environments", () => {
  it("reach no sandbox of another one", async () => {
    const dev = await makeKey({ name: "dev", scopes: ["use"], environment: "dev" });
    const prod = await makeKey({ name: "prod", scopes: ["use"], environment: "prod" });
    const sandbox = await createRaw({ ...platform, apiKey: prod.full_key });
    expect((await withKey(`/v1/sandboxes/${sandbox.id}`, dev.full_key)).status).toBe(404);
    expect((await atGateway(sandbox, { "x-api-key": dev.full_key })).status).toBe(404);
    expect((await withKey("/v1/sandboxes", dev.full_key)).text).not.toContain(sandbox.id);
    expect((await withKey(`/v1/sandboxes/${sandbox.id}`, prod.full_key)).status).toBe(200);
    expect((await withKey(`/v1/sandboxes/${sandbox.id}`, platform.apiKey)).status).toBe(200);
  });
});

describe("an address that tries keys", () => {
  it("is told to wait, and a key that was good before works from there", async () => {
    const answers = [];
    for (let count = 0; count < 40; count += 1) {
      answers.push(await withKey("/v1/sandboxes", `hopx_live_${"a".repeat(12)}.${String(count).padStart(43, "b")}`));
    }
    expect(answers.at(0)).toMatchObject({ status: 401 });
    expect(answers.at(-1)).toMatchObject({ status: 429, body: { code: "RATE_LIMIT_EXCEEDED", retryable: true } });
    expect(Number(answers.at(-1)?.headers["retry-after"])).toBeGreaterThan(0);
    expect((await withKey("/v1/sandboxes", platform.apiKey)).status).toBe(200);
  });
});
