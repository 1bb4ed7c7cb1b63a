import { describe, expect, it } from "vitest";
import { removedSecretSchema, secretListSchema, secretSchema } from "#contracts/control/secrets.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { makeHarness, principal } from "./fake-control-plane.ts";

const canary = "canary-41ee";

/** Names of secrets and callers' texts come back in answers and lines of the log; values never do. */
async function secondary(answer: Response, lines: readonly object[]): Promise<string> {
  return `${await answer.text()} ${JSON.stringify([...answer.headers])} ${JSON.stringify(lines)}`;
}

describe("secrets", () => {
  it("are listed without values", async () => {
    const answer = await makeHarness().call("GET", "/v1/secrets");
    expect(answer.status).toBe(200);
    expect(secretListSchema.strict().parse(await answer.json()).data).toEqual([
      {
        ...{ object: "secret", name: "github", version: 2 },
        ...{ created_at: "2026-11-22T12:00:00.007Z", updated_at: "2026-11-22T12:00:00.007Z" },
      },
    ]);
  });

  it.each(["github", "team/git+hub@x", "a=b", "..a"])("are put as %s", async (name) => {
    const { call, calls, lines } = makeHarness();
    const answer = await call("PUT", `/v1/secrets/${encodeURIComponent(name)}`, { body: { value: canary } });
    expect(answer.status).toBe(200);
    expect(secretSchema.strict().parse(await answer.clone().json())).toMatchObject({ name, version: 1 });
    expect(calls.at(-1)).toMatchObject({ name: "secrets.put", args: [principal, name, canary, {}] });
    expect(await secondary(answer, lines)).not.toContain(canary);
  });

  it("are removed", async () => {
    const { call, calls } = makeHarness();
    const answer = await call("DELETE", "/v1/secrets/team%2Fgithub");
    expect(removedSecretSchema.strict().parse(await answer.json())).toMatchObject({
      name: "team/github",
      deleted: true,
    });
    expect(calls.at(-1)).toMatchObject({ name: "secrets.remove", args: [principal, "team/github", {}] });
  });

  it.each([
    ["nothing", {}],
    ["an empty value", { value: "" }],
    ["a number", { value: 4711 }],
    ["a NUL", { value: `${canary}\0` }],
    ["too much", { value: canary.repeat(10_000) }],
    ["more bytes than characters", { value: "ž".repeat(33 * 1024) }],
    ["a value in another place", { value: "v", other: canary }],
    ["a value in an object", { value: { text: canary } }],
    ["no object", [canary]],
    ["no JSON", `{"value":"${canary}`],
  ])("are not put as %s, and the answer does not quote it", async (_case, body) => {
    const { call, calls, lines } = makeHarness();
    const answer = await call("PUT", "/v1/secrets/a", { body });
    expect(answer.status).toBe(400);
    expect(calls.map(({ name }) => name)).toEqual(["keys.authenticate"]);
    expect(await secondary(answer, lines)).not.toContain(canary);
  });

  it.each(["a%20b", "%00", "a%0Ab", "%C5%BE", "a".repeat(257), "%zz"])("have no such names: %s", async (name) => {
    const { call, calls } = makeHarness();
    expect((await call("PUT", `/v1/secrets/${name}`, { body: { value: "v" } })).status).toBe(400);
    expect((await call("DELETE", `/v1/secrets/${name}`)).status).toBe(400);
    expect(calls.map(({ name: call }) => call)).toEqual(["keys.authenticate", "keys.authenticate"]);
  });

  it("are put and removed by name only, and never read", async () => {
    const { call } = makeHarness();
    expect((await call("GET", "/v1/secrets/github")).status).toBe(405);
    expect((await call("PUT", "/v1/secrets", { body: { value: "v" } })).status).toBe(405);
    expect((await call("PUT", "/v1/secrets/team/github", { body: { value: "v" } })).status).toBe(404);
  });

  it("are nobody's without a key, and what the platform refuses is passed on", async () => {
    const { app, call } = makeHarness({
      secrets: {
        remove: async (_, name) => {
          throw new BulkheadError("RESOURCE_NOT_FOUND", `Secret ${name} not found.`);
        },
      },
    });
    expect((await app.request("/v1/secrets")).status).toBe(401);
    expect((await call("DELETE", "/v1/secrets/a")).status).toBe(404);
  });

  it("stay out of the log when the platform fails", async () => {
    const { call, lines } = makeHarness({ secrets: { put: () => Promise.reject(new Error("disk is full")) } });
    const answer = await call("PUT", "/v1/secrets/a", { body: { value: canary } });
    expect(answer.status).toBe(500);
    expect(await secondary(answer, lines)).not.toContain(canary);
  });
});
