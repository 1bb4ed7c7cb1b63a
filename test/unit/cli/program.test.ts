import { describe, expect, it } from "vitest";
import type { ControlPlane, NewKey } from "#cli/control-plane.ts";
import { CliError, exitCodes } from "#cli/failure.ts";
import { startEnvironment } from "#cli/platform-commands.ts";
import { makeProgram } from "#cli/program.ts";
import type { Sandbox } from "#contracts/control/sandboxes.ts";

const now = Date.parse("2026-11-22T12:00:00Z");

function sandbox(id: string): Sandbox {
  return {
    id,
    sandbox_id: id,
    object: "sandbox",
    status: "running",
    organization_id: 1,
    template_id: "tpl_base",
    template_name: "base",
    region: "local",
    public_host: `http://127.0.0.1:8081/s/${id}`,
    direct_url: "",
    preview_url: "",
    resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
    internet_access: true,
    live_mode: false,
    timeout_seconds: 3600,
    created_at: "2026-11-22T11:50:00.000Z",
    expires_at: "2026-11-22T13:00:00.000Z",
    end_at: "2026-11-22T13:00:00.000Z",
    idle_timeout_seconds: 3600,
    max_lifetime_seconds: 86_400,
    last_activity_at: "2026-11-22T11:50:00.000Z",
    end_reason: null,
    enforced: null,
  };
}

/** The program with a control plane in memory; `run` answers with what was printed and the exit code. */
function setUp(sandboxes: readonly Sandbox[] = []) {
  const printed = { out: "", err: "" };
  const killed: string[] = [];
  const newKeys: NewKey[] = [];
  const platformRuns: { command: string; args: readonly string[]; environment: object }[] = [];
  let exitCode = 0;
  const controlPlane: ControlPlane = {
    sandboxes: async (status) => sandboxes.filter((found) => status === undefined || found.status === status),
    kill: async (id) => {
      if (!sandboxes.some((found) => found.id === id))
        throw new CliError(`Sandbox ${id} not found`, exitCodes.notFound);
      killed.push(id);
    },
    keys: async () => [],
    createKey: async (request) => {
      newKeys.push(request);
      return {
        success: true,
        message: "",
        request_id: "req_aaaaaaaaaaaaaaaaaaaa",
        full_key: "hopx_live_k1.secret",
        api_key: {
          id: "k1",
          key_id: "k1",
          name: request.name,
          prefix: "hopx_live_k1",
          masked_key: "hopx_live_k1.…",
          status: "active",
          scopes: ["admin"],
          created_at: "2026-11-22T11:50:00.000Z",
          expires_at: null,
          last_used_at: null,
        },
      };
    },
    revokeKey: async () => {},
  };
  const program = makeProgram({
    version: "1.2.3",
    output: {
      out: (text) => {
        printed.out += `${text}\n`;
      },
      err: (text) => {
        printed.err += `${text}\n`;
      },
    },
    now: () => now,
    connect: () => controlPlane,
    runPlatform: async (command, args, environment) => {
      platformRuns.push({ command, args, environment });
      return 7;
    },
    setExitCode: (code) => {
      exitCode = code;
    },
  });
  const run = async (...args: readonly string[]) => {
    await program.parseAsync(["node", "bulkhead", ...args]);
    return { ...printed, exitCode };
  };
  return { run, killed, newKeys, platformRuns };
}

describe("bulkhead ls", () => {
  it("prints a table with ages", async () => {
    const { out } = await setUp([sandbox("s1")]).run("ls");
    expect(out).toBe("ID  STATUS   TEMPLATE  AGE  ENDS IN\ns1  running  base      10m  60m\n");
  });

  it("prints JSON and narrows by status", async () => {
    const { out } = await setUp([sandbox("s1")]).run("ls", "--json", "--status", "paused");
    expect(JSON.parse(out)).toEqual([]);
  });
});

describe("bulkhead kill", () => {
  it("ends all", async () => {
    const set = setUp([sandbox("s1"), sandbox("s2")]);
    expect(await set.run("kill", "--all")).toMatchObject({ exitCode: 0 });
    expect(set.killed).toEqual(["s1", "s2"]);
  });

  it("ends what it can and answers with the failure's exit code", async () => {
    const set = setUp([sandbox("s1")]);
    expect(await set.run("kill", "gone", "s1")).toMatchObject({
      exitCode: exitCodes.notFound,
      out: "s1 killed\n",
      err: "bulkhead: cannot kill gone: Sandbox gone not found\n",
    });
  });

  it("wants ids or --all, not both", async () => {
    await expect(setUp().run("kill")).rejects.toMatchObject({ exitCode: exitCodes.usage });
    await expect(setUp().run("kill", "s1", "--all")).rejects.toMatchObject({ exitCode: exitCodes.usage });
  });
});

describe("bulkhead keys create", () => {
  it.each([
    ["30d", { seconds: 2_592_000 }],
    ["1year", { in: "1year" }],
  ])("understands --expires %s", async (text, expires) => {
    const set = setUp();
    const { out } = await set.run("keys", "create", "ci", "--expires", text);
    expect(set.newKeys).toEqual([{ name: "ci", expires }]);
    expect(out).toBe("hopx_live_k1.secret\n");
  });

  it("refuses other words", async () => {
    await expect(setUp().run("keys", "create", "ci", "--expires", "soon")).rejects.toMatchObject({
      code: "commander.invalidArgument",
    });
  });
});

describe("bulkhead start and doctor", () => {
  it("turns flags into the platform's environment and hands its exit code on", async () => {
    const set = setUp();
    const flags = ["--port", "9000", "--pool", "base=3", "--no-code-interpreter", "--verbose"];
    expect(await set.run("start", ...flags)).toMatchObject({ exitCode: 7 });
    expect(set.platformRuns).toEqual([
      {
        command: "start",
        args: [],
        environment: {
          BULKHEAD_PORT: "9000",
          BULKHEAD_POOL: "base=3",
          BULKHEAD_CODE_INTERPRETER: "0",
          BULKHEAD_LOG: "debug",
        },
      },
    ]);
  });

  it("leaves what was not said to the environment", () => {
    expect(startEnvironment({ codeInterpreter: true })).toEqual({});
  });
});
