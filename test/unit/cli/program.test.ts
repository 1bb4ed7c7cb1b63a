import { describe, expect, it } from "vitest";
import { exitCodes } from "#cli/failure.ts";
import { startEnvironment } from "#cli/platform-commands.ts";
import { sandbox, setUp } from "./support.ts";

describe("bulkhead ls", () => {
  it("prints a table with ages", async () => {
    const { out } = await setUp({ sandboxes: [sandbox("s1")] }).run("ls");
    expect(out).toBe("ID  STATUS   TEMPLATE  AGE  ENDS IN  IDLE\ns1  running  base      10m  60m      10m\n");
  });

  it("prints JSON and narrows by status", async () => {
    const { out } = await setUp({ sandboxes: [sandbox("s1")] }).run("ls", "--json", "--status", "paused");
    expect(JSON.parse(out)).toEqual([]);
  });
});

describe("bulkhead ls --all and --watch", () => {
  const ended = sandbox("s2", { status: "deleted", end_reason: "idle" });

  it("shows those that have ended, with the reason", async () => {
    const { out } = await setUp({ sandboxes: [sandbox("s1"), ended] }).run("ls", "--all");
    expect(out).toContain("s2  deleted  base      10m  idle     -");
  });

  it("draws again until it is interrupted, also when the list changed meanwhile", async () => {
    const controller = new AbortController();
    let rounds = 0;
    const set = setUp({
      controlPlane: { sandboxes: async () => [sandbox(`round${rounds}`)] },
      deps: {
        interrupts: { during: (work) => work(controller.signal) },
        sleep: async (milliseconds) => {
          expect(milliseconds).toBe(5000);
          rounds += 1;
          if (rounds === 2) controller.abort();
        },
      },
    });
    const { out } = await set.run("ls", "--watch", "--interval", "5s");
    expect(out).toMatch(/12:00:00 UTC.*round0.*round1/s);
    expect(out).not.toContain("round2");
  });

  it("prints a document in each line with --json", async () => {
    const controller = new AbortController();
    const set = setUp({
      sandboxes: [sandbox("s1")],
      deps: {
        interrupts: { during: (work) => work(controller.signal) },
        sleep: async () => controller.abort(),
      },
    });
    const { out } = await set.run("ls", "--watch", "--json");
    expect(JSON.parse(out)).toMatchObject([{ id: "s1" }]);
    expect(out.trimEnd()).not.toContain("\n");
  });

  it("refuses --status with --all", async () => {
    await expect(setUp().run("ls", "--all", "--status", "running")).rejects.toMatchObject({
      exitCode: exitCodes.usage,
    });
  });
});

describe("bulkhead create, show and timeout", () => {
  it("asks for what the flags say and prints the id", async () => {
    const set = setUp({ variables: { TOKEN: "t" } });
    const flags = ["--env", "A=1=2", "--env", "TOKEN", "--timeout", "2h", "--idle-timeout", "90", "--no-internet"];
    const { out } = await set.run("create", "--template", "base", ...flags);
    expect(out).toBe("s9\n");
    expect(set.creates).toEqual([
      {
        template_name: "base",
        internet_access: false,
        env_vars: { A: "1=2", TOKEN: "t" },
        timeout_seconds: 7200,
        idle_timeout_seconds: 90,
      },
    ]);
  });

  it("never prints the token", async () => {
    expect((await setUp().run("create", "--json")).out).not.toContain("the-token");
  });

  it.each([["A"], ["=x"], ["1A=x"]])("refuses --env %s", async (text) => {
    await expect(setUp().run("create", "--env", text)).rejects.toMatchObject({ code: "commander.invalidArgument" });
  });

  it("shows one sandbox", async () => {
    const { out } = await setUp({ sandboxes: [sandbox("s1")] }).run("show", "s1");
    expect(out).toMatch(/^id +s1\nstatus +running\n/);
    expect(out).toContain("(in 60m)");
  });

  it("sets a timeout, and none with 0", async () => {
    expect((await setUp().run("timeout", "s1", "1h")).out).toBe("s1 ends at 2026-11-22T13:00:00.000Z\n");
    expect(JSON.parse((await setUp().run("timeout", "s1", "0", "--json")).out)).toMatchObject({ timeout_seconds: 0 });
  });
});

describe("bulkhead pause, resume, stop and start", () => {
  it.each([
    ["pause", "paused"],
    ["resume", "running"],
    ["stop", "stopped"],
    ["start", "running"],
  ])("%s says the new status", async (command, status) => {
    const set = setUp({ sandboxes: [sandbox("s1")] });
    expect(await set.run(command, "s1")).toMatchObject({ out: `s1 ${status}\n`, exitCode: 0 });
    expect(set.changed).toEqual([`${command} s1`]);
    expect(set.platformRuns).toEqual([]);
  });

  it("tries all and answers with the failure's exit code", async () => {
    const set = setUp({ sandboxes: [sandbox("s1")] });
    expect(await set.run("pause", "gone", "s1")).toMatchObject({
      exitCode: exitCodes.notFound,
      out: "s1 paused\n",
      err: "bulkhead: cannot pause gone: Sandbox gone not found\n",
    });
  });

  it("does not mix the platform's flags and sandboxes", async () => {
    await expect(setUp().run("start", "s1", "--port", "9")).rejects.toMatchObject({ exitCode: exitCodes.usage });
    await expect(setUp().run("start", "--json")).rejects.toMatchObject({ exitCode: exitCodes.usage });
  });
});

describe("bulkhead kill", () => {
  it("ends all", async () => {
    const set = setUp({ sandboxes: [sandbox("s1"), sandbox("s2")] });
    expect(await set.run("kill", "--all")).toMatchObject({ exitCode: 0 });
    expect(set.killed).toEqual(["s1", "s2"]);
  });

  it("ends what it can and answers with the failure's exit code", async () => {
    const set = setUp({ sandboxes: [sandbox("s1")] });
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
