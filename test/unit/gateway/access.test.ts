import { describe, expect, it } from "vitest";
import { type AccessRules, makeAccessRules } from "#gateway/access.ts";
import { makeCachedDirectory } from "#gateway/directory-cache.ts";
import type { Target } from "#gateway/ports.ts";
import type { Route } from "#gateway/route.ts";
import { aTarget, makeTestClock, sandboxId, type TestClock, testKeys, testTokens } from "./support.ts";

const agent: Route = { kind: "agent", sandboxId, path: "/execute" };
const root: Route = { kind: "root", path: "/execute" };
const token = (text: string) => ({ kind: "token", token: text, from: "header" }) as const;

interface Setting {
  readonly rules: AccessRules;
  readonly clock: TestClock;
  lookups(): number;
}

/** Answers of the directory in turn; the last one stays. */
function setting(...answers: (Target | undefined)[]): Setting {
  const clock = makeTestClock();
  let lookups = 0;
  const directory = {
    async resolve() {
      lookups += 1;
      return answers[Math.min(lookups, answers.length) - 1];
    },
  };
  const rules = makeAccessRules(
    { tokens: testTokens, keys: testKeys, clock },
    makeCachedDirectory(directory, clock, 1000),
    60_000,
  );
  return { rules, clock, lookups: () => lookups };
}

const failsWith = (code: string): unknown => expect.objectContaining({ code });
const waiting = () => false;

describe("admit", () => {
  it("takes the sandbox from the token at the root and checks it against a named one", async () => {
    const { rules } = setting(aTarget());
    expect(await rules.admit(root, token(`${sandboxId}/1`))).toMatchObject({ sandboxId, authorised: true });
    expect(await rules.admit(agent, token(`${sandboxId}/1`))).toMatchObject({ sandboxId });
    await expect(rules.admit(agent, token("1763382095i648uu1obb/1"))).rejects.toEqual(failsWith("FORBIDDEN"));
  });

  it("refuses nothing shown, a forged token, a token of another generation", async () => {
    const { rules } = setting(aTarget({ generation: 2 }));
    await expect(rules.admit(agent, undefined)).rejects.toEqual(failsWith("AUTHENTICATION_REQUIRED"));
    await expect(rules.admit(root, undefined)).rejects.toEqual(failsWith("AUTHENTICATION_REQUIRED"));
    await expect(rules.admit(agent, token("forged"))).rejects.toEqual(failsWith("TOKEN_INVALID"));
    await expect(rules.admit(agent, token(`${sandboxId}/1`))).rejects.toEqual(failsWith("TOKEN_INVALID"));
  });

  it("takes a project's own key where the sandbox is named, and does not tell another project that it exists", async () => {
    const { rules } = setting(aTarget());
    const key = (text: string) => ({ kind: "key", key: text }) as const;
    expect(await rules.admit(agent, key("hopx_live_p1_use"))).toMatchObject({ sandboxId, authorised: true });
    await expect(rules.admit(agent, key("hopx_live_p2_use"))).rejects.toEqual(failsWith("SANDBOX_NOT_FOUND"));
    await expect(rules.admit(agent, key("hopx_live_p1_read"))).rejects.toEqual(failsWith("FORBIDDEN"));
    await expect(rules.admit(agent, key("hopx_live_bad"))).rejects.toEqual(failsWith("INVALID_API_KEY"));
    await expect(rules.admit(root, key("hopx_live_p1_use"))).rejects.toEqual(failsWith("AUTHENTICATION_REQUIRED"));
  });

  it("lets the health check of a named sandbox pass without a credential, and nothing else", async () => {
    const { rules } = setting(aTarget());
    expect(await rules.admit({ ...agent, path: "/health" }, undefined)).toMatchObject({ authorised: false });
    await expect(rules.admit({ ...agent, path: "/healthy" }, undefined)).rejects.toEqual(
      failsWith("AUTHENTICATION_REQUIRED"),
    );
  });

  it("says how an ended sandbox ended, with what clients read at the top level", async () => {
    const { rules } = setting(aTarget({ status: "deleted", endReason: "idle", generation: 9 }));
    await expect(rules.admit(agent, token(`${sandboxId}/1`))).rejects.toMatchObject({
      code: "SANDBOX_EXPIRED",
      details: {
        sandbox_id: sandboxId,
        status: "deleted",
        end_reason: "idle",
        created_at: "1970-01-01T00:00:00.000Z",
        expires_at: "1970-01-01T00:00:01.000Z",
      },
    });
  });
});

describe("open", () => {
  it("asks the directory once a second", async () => {
    const { rules, clock, lookups } = setting(aTarget());
    await rules.open({ sandboxId, route: agent }, waiting);
    await rules.open({ sandboxId, route: agent }, waiting);
    expect(lookups()).toBe(1);
    clock.advance(1000);
    await rules.open({ sandboxId, route: agent }, waiting);
    expect(lookups()).toBe(2);
  });

  it("waits for a sandbox that is being created", async () => {
    const creating = aTarget({ status: "creating", endpoint: null });
    const { rules } = setting(creating, creating, creating, aTarget());
    expect(await rules.open({ sandboxId, route: agent }, waiting)).toMatchObject({ status: "running" });
  });

  it("gives up after the time a request may be held, and at once when nobody waits", async () => {
    const creating = aTarget({ status: "creating", endpoint: null });
    const held = setting(creating);
    const start = held.clock.now();
    await expect(held.rules.open({ sandboxId, route: agent }, waiting)).rejects.toEqual(failsWith("SANDBOX_CREATING"));
    expect(held.clock.now() - start).toBeGreaterThanOrEqual(60_000);
    const left = setting(creating);
    await expect(left.rules.open({ sandboxId, route: agent }, () => true)).rejects.toEqual(
      failsWith("SANDBOX_CREATING"),
    );
    expect(left.lookups()).toBe(1);
  });

  it.each([
    ["paused", "SANDBOX_STOPPED"],
    ["stopped", "SANDBOX_STOPPED"],
    ["deleting", "SANDBOX_EXPIRED"],
    ["failed", "SANDBOX_EXPIRED"],
  ] as const)("answers a %s sandbox with %s", async (status, code) => {
    await expect(setting(aTarget({ status })).rules.open({ sandboxId, route: agent }, waiting)).rejects.toEqual(
      failsWith(code),
    );
  });

  it("lets the health of a paused sandbox be asked, not that of a stopped one", async () => {
    const health: Route = { ...agent, path: "/health" };
    const paused = setting(aTarget({ status: "paused" }));
    expect(await paused.rules.open({ sandboxId, route: health }, waiting)).toMatchObject({ status: "paused" });
    const stopped = setting(aTarget({ status: "stopped", endpoint: null }));
    await expect(stopped.rules.open({ sandboxId, route: health }, waiting)).rejects.toEqual(
      failsWith("SANDBOX_STOPPED"),
    );
  });

  it("serves a sandbox in the moment in which it was resumed", async () => {
    const { rules } = setting(aTarget({ status: "paused" }), aTarget());
    await expect(rules.open({ sandboxId, route: agent }, waiting)).rejects.toEqual(failsWith("SANDBOX_STOPPED"));
    expect(await rules.open({ sandboxId, route: agent }, waiting)).toMatchObject({ status: "running" });
  });

  it("says that there is no such sandbox", async () => {
    await expect(setting(undefined).rules.open({ sandboxId, route: agent }, waiting)).rejects.toMatchObject({
      code: "SANDBOX_NOT_FOUND",
      message: `Sandbox ${sandboxId} not found`,
    });
  });
});
