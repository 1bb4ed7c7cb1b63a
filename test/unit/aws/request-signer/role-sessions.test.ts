import type { STSClient } from "@aws-sdk/client-sts";
import { describe, expect, it } from "vitest";
import { makeRoleSessions } from "#aws/request-signer/role-sessions.ts";
import { noopLogger } from "#telemetry/logger.ts";

const owner = { sandboxId: "1800000000abcdefghij", projectId: "acme & sons" };
const minute = 60_000;

interface Asked {
  readonly input: {
    readonly Policy?: string;
    readonly Tags?: readonly { Value?: string }[];
    readonly RoleSessionName?: string;
  };
}

function world(answer: () => Error | undefined = () => undefined, tagSessions = true) {
  const state = { now: 1_800_000_000_000, asked: [] as Asked["input"][] };
  const sts = {
    send: async (command: Asked) => {
      state.asked.push(command.input);
      const failed = answer();
      if (failed !== undefined) throw failed;
      const n = state.asked.length;
      const Expiration = new Date(state.now + 15 * minute);
      return { Credentials: { AccessKeyId: `key${n}`, SecretAccessKey: "s", SessionToken: "t", Expiration } };
    },
  } as unknown as Pick<STSClient, "send">;
  const clock = { now: () => state.now };
  const get = makeRoleSessions({ roleArn: "arn:r", region: "eu-west-1", clock, logger: noopLogger, sts, tagSessions });
  return { state, get };
}

const named = (name: string) => Object.assign(new Error("no"), { name, $metadata: { httpStatusCode: 403 } });

describe("role sessions", () => {
  it("are asked for once per sandbox and policy, however many want one", async () => {
    const { state, get } = world();
    const all = await Promise.all([
      get(owner, "a"),
      get(owner, "a"),
      get(owner, "b"),
      get({ ...owner, sandboxId: "other" }, "a"),
    ]);
    expect(all.map(({ accessKeyId }) => accessKeyId)).toEqual(["key1", "key1", "key2", "key3"]);
    expect(state.asked.map(({ RoleSessionName, Policy }) => [RoleSessionName, Policy])).toEqual([
      [owner.sandboxId, "a"],
      [owner.sandboxId, "b"],
      ["other", "a"],
    ]);
  });

  it("are renewed five minutes before their end, and used while STS fails", async () => {
    let failing: Error | undefined;
    const { state, get } = world(() => failing);
    await get(owner, "a");
    state.now += 9 * minute;
    expect((await get(owner, "a")).accessKeyId).toBe("key1");
    state.now += 2 * minute;
    failing = named("Throttling");
    expect((await get(owner, "a")).accessKeyId).toBe("key1");
    failing = undefined;
    expect((await get(owner, "a")).accessKeyId).toBe("key3");
    failing = named("Throttling");
    state.now += 15 * minute;
    await expect(get(owner, "a")).rejects.toThrow();
  });

  it("carry tags that AWS takes, or none", async () => {
    const { state, get } = world();
    await get(owner, "a");
    expect(state.asked[0]?.Tags?.map(({ Value }) => Value)).toEqual([owner.sandboxId, "acme _ sons"]);
    const untagged = world(undefined, false);
    await untagged.get(owner, "a");
    expect(untagged.state.asked[0]?.Tags).toBeUndefined();
  });

  it.each([
    ["PackedPolicyTooLarge", "INVALID_REQUEST"],
    ["PackedPolicyTooLargeException", "INVALID_REQUEST"],
    ["MalformedPolicyDocument", "INVALID_REQUEST"],
    ["AccessDenied", "PERMISSION_DENIED"],
    ["ExpiredToken", "INTERNAL_ERROR"],
    ["ThrottlingException", "SERVICE_UNAVAILABLE"],
  ])("that fail with %s: %s, and are asked for again", async (name, code) => {
    const { state, get } = world(() => named(name));
    await expect(get(owner, "a")).rejects.toMatchObject({ code });
    await expect(get(owner, "a")).rejects.toMatchObject({ code });
    expect(state.asked).toHaveLength(2);
  });
});
