import { request } from "node:http";
import { Sandbox } from "@hopx-ai/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { ask, type CreatedSandbox, control, createRaw } from "./support/http.ts";
import { textLike } from "./support/matchers.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

let platform: RunningPlatform;

beforeAll(async () => {
  // Nothing is warm, so that a create takes long enough for its caller to hang up during it.
  platform = await startPlatform({ flags: ["--no-code-interpreter", "--pool", "base=0"] });
  return async () => {
    await platform.stop();
  };
});

const pageSchema = z.looseObject({
  data: z.array(z.looseObject({ id: z.string(), status: z.string(), region: z.string() })),
  has_more: z.boolean(),
  next_cursor: z.string().nullable(),
});

async function list(query: string): Promise<z.infer<typeof pageSchema>> {
  const answer = await control(platform, "GET", `/v1/sandboxes?${query}`);
  if (answer.status !== 200) throw new Error(`list was answered ${answer.status}: ${answer.text}`);
  return pageSchema.parse(answer.body);
}

async function listedIds(query: string): Promise<string[]> {
  return (await list(query)).data.map(({ id }) => id);
}

async function kill(...sandboxes: readonly CreatedSandbox[]): Promise<void> {
  for (const { id } of sandboxes) await control(platform, "DELETE", `/v1/sandboxes/${id}`);
}

describe("the list of sandboxes", () => {
  it("comes in pages, and narrows by status and region", async () => {
    const made = [await createRaw(platform), await createRaw(platform), await createRaw(platform)];
    const [gone, ...live] = made;
    if (gone === undefined) throw new Error("nothing was created");
    await kill(gone);
    const ids = live.map(({ id }) => id).sort();

    const first = await list("limit=1");
    expect(first).toMatchObject({ object: "list", has_more: true, url: "/v1/sandboxes" });
    const second = await list(`limit=1&cursor=${encodeURIComponent(first.next_cursor ?? "")}`);
    expect([...first.data, ...second.data].map(({ id }) => id).sort()).toEqual(ids);
    const rest = second.next_cursor === null ? undefined : await list(`limit=1&cursor=${second.next_cursor}`);
    expect(rest?.data ?? []).toEqual([]);
    expect((rest ?? second).has_more).toBe(false);

    const region = first.data[0]?.region ?? "";
    expect((await listedIds(`region=${region}`)).sort()).toEqual(ids);
    expect(await listedIds("region=elsewhere")).toEqual([]);
    expect((await listedIds("status=running")).sort()).toEqual(ids);
    expect(await listedIds("status=paused")).toEqual([]);
    expect(await listedIds("status=deleted")).toContain(gone.id);
    expect((await listedIds("limit=1000")).sort()).toEqual(ids);

    const viaClient = { apiKey: platform.apiKey, baseURL: platform.url };
    expect(await Sandbox.list({ ...viaClient, limit: 1 })).toHaveLength(1);
    expect(await Sandbox.list({ ...viaClient, status: "paused" })).toHaveLength(0);
    expect(await Sandbox.list({ ...viaClient, region: "elsewhere" })).toHaveLength(0);
    await kill(...live);
  });

  it.each([["limit=0"], ["limit=many"], ["status=bogus"], ["cursor=bogus"]])("refuses %s", async (query) => {
    const answer = await control(platform, "GET", `/v1/sandboxes?${query}`);
    expect(answer).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST" } });
  });
});

describe("create", () => {
  it("takes a template by name or by id, as text or as a number, and ignores the deprecated sizes", async () => {
    const byName = await createRaw(platform, { vcpu: 64, memory_mb: 1, disk_gb: 1 });
    const { template_id: id, resources } = z
      .looseObject({ template_id: z.string(), resources: z.looseObject({ memory_mb: z.number() }) })
      .parse(byName);
    expect(resources.memory_mb).toBeGreaterThan(1);
    const byId = await createRaw(platform, { template_name: undefined, template_id: id });
    const byNumber = await createRaw(platform, { template_name: undefined, template_id: Number(id) });
    expect([byId["template_name"], byNumber["template_name"]]).toEqual(["base", "base"]);
    await kill(byName, byId, byNumber);
  });

  it("refuses a template that there is not", async () => {
    const options = { template: "nope", apiKey: platform.apiKey, baseURL: platform.url };
    // The client has its own class only for files (contract §2.5).
    await expect(Sandbox.create(options)).rejects.toThrow(/^Template nope not found/);
    expect((await control(platform, "POST", "/v1/sandboxes", { template_id: 4711 })).status).toBe(404);
    expect((await control(platform, "GET", "/v1/templates/nope")).body).toMatchObject({ code: "TEMPLATE_NOT_FOUND" });
    expect(await listedIds("")).toEqual([]);
  });

  it("takes any region, and says where the sandbox truly is", async () => {
    const here = await createRaw(platform);
    const elsewhere = await createRaw(platform, { region: "us-east" });
    expect(elsewhere["region"]).toBe(here["region"]);
    await kill(here, elsewhere);
  });

  it("takes timeouts of its own, and says which of them is the deadline", async () => {
    const made = await createRaw(platform, {
      timeout_seconds: 600,
      idle_timeout_seconds: 120,
      max_lifetime_seconds: 900,
    });
    expect(made).toMatchObject({ timeout_seconds: 600, idle_timeout_seconds: 120, max_lifetime_seconds: 900 });
    const { created_at, expires_at } = z.looseObject({ created_at: z.string(), expires_at: z.string() }).parse(made);
    expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(600_000);
    const cleared = await control(platform, "PUT", `/v1/sandboxes/${made.id}/timeout`, { timeout_seconds: 0 });
    expect(cleared).toMatchObject({ status: 200, body: { timeout_seconds: null } });
    const lifetime = z.looseObject({ expires_at: z.string() }).parse(cleared.body).expires_at;
    expect(Date.parse(lifetime) - Date.parse(created_at)).toBe(900_000);
    await kill(made);
  });

  it("repeated by a client that hung up makes one sandbox, which the client gets", async () => {
    const body = { template_name: "base", env_vars: { CASE: "hung up" } };
    await hangUpDuringCreate(JSON.stringify(body));
    const creating = await until("the sandbox in the list", async () => (await listedIds(""))[0]);
    const repeated = await createRaw(platform, body);
    expect(repeated.id).toBe(creating);
    expect(await listedIds("")).toEqual([repeated.id]);
    // It has been handed over: the next equal create is a new one.
    const another = await createRaw(platform, body);
    expect(another.id).not.toBe(repeated.id);
    await kill(repeated, another);
  });

  it("repeated with an Idempotency-Key by a client that hung up answers with the same sandbox", async () => {
    const body = { template_name: "base" };
    const headers = { "idempotency-key": "hung-up-1" };
    await hangUpDuringCreate(JSON.stringify(body), headers);
    const creating = await until("the sandbox in the list", async () => (await listedIds(""))[0]);
    const repeated = await createRaw(platform, body, headers);
    expect(repeated.id).toBe(creating);
    expect((await createRaw(platform, body, headers)).id).toBe(repeated.id);
    expect(await listedIds("")).toEqual([repeated.id]);
    await kill(repeated);
  });
});

describe("API keys", () => {
  const made = z.looseObject({ full_key: z.string(), api_key: z.looseObject({ id: z.string() }) });
  const authorities = (key: string) => [{ "x-api-key": key }, { authorization: `Bearer ${key}` }];

  it("are taken in both headers until they are revoked", async () => {
    const answer = await control(platform, "POST", "/auth/api-keys", { name: "both headers" });
    const { full_key: key, api_key } = made.parse(answer.body);
    for (const headers of authorities(key))
      expect((await ask(platform.url, "/v1/sandboxes", { headers })).status).toBe(200);
    expect((await control(platform, "DELETE", `/auth/api-keys/${api_key.id}`)).status).toBe(200);
    for (const headers of authorities(key)) {
      const refused = await until("refusal of a revoked key", async () => {
        const again = await ask(platform.url, "/v1/sandboxes", { headers });
        return again.status === 401 && again;
      });
      expect(refused.body).toMatchObject({ code: "INVALID_API_KEY", message: textLike("revoked") });
    }
  });

  it("can do no more than their scopes", async () => {
    const answer = await control(platform, "POST", "/auth/api-keys", { name: "reader", scopes: ["read"] });
    const headers = { "x-api-key": made.parse(answer.body).full_key, "content-type": "application/json" };
    expect((await ask(platform.url, "/v1/sandboxes", { headers })).status).toBe(200);
    const create = await ask(platform.url, "/v1/sandboxes", {
      method: "POST",
      headers,
      body: JSON.stringify({ template_name: "base" }),
    });
    expect(create).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    const widen = { method: "POST", headers, body: JSON.stringify({ name: "wider", scopes: ["admin"] }) };
    expect((await ask(platform.url, "/auth/api-keys", widen)).status).toBe(403);
  });
});

/** Sends a create and closes the connection as soon as the platform has begun it. */
async function hangUpDuringCreate(body: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const { hostname, port } = new URL(platform.url);
  const length = String(Buffer.byteLength(body));
  const pending = request({
    hostname,
    port,
    path: "/v1/sandboxes",
    method: "POST",
    agent: false,
    headers: { "x-api-key": platform.apiKey, "content-type": "application/json", "content-length": length, ...headers },
  });
  let answered = false;
  pending.on("response", () => (answered = true));
  // Ours: the connection is cut on purpose.
  pending.on("error", () => undefined);
  pending.end(body);
  await until("a create at work", async () => (await list("status=creating")).data.length > 0, { everyMs: 1 });
  pending.destroy();
  expect(answered).toBe(false);
}
