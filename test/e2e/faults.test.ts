import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { familyOf, processes } from "./support/host.ts";
import { agent, type CreatedSandbox, control, createRaw, run } from "./support/http.ts";
import { enforced, textLike } from "./support/matchers.ts";
import { bulkhead, freePort, type PlatformOptions, type RunningPlatform, startPlatform } from "./support/platform.ts";
import { expectNothingLeft, expectProcessesGone, footprint, residue } from "./support/residue.ts";
import { until } from "./support/until.ts";

const running: RunningPlatform[] = [];

async function start(options: PlatformOptions = {}): Promise<RunningPlatform> {
  const platform = await startPlatform(options);
  running.push(platform);
  return platform;
}

afterEach(async () => {
  for (const platform of running.splice(0)) await platform.stop();
});

/** The 410 of an ended sandbox. */
function ended(platform: RunningPlatform, sandbox: CreatedSandbox, timeoutMs = 30_000) {
  return until(
    `end of ${sandbox.id}`,
    async () => {
      const answer = await control(platform, "GET", `/v1/sandboxes/${sandbox.id}`);
      return answer.status === 410 && answer;
    },
    { timeoutMs },
  );
}

describe("a sandbox ends with its true reason", () => {
  it("timeout_seconds, idle, lifetime, kill, and an agent that dies", async () => {
    const platform = await start();
    const timeout = await createRaw(platform, { timeout_seconds: 2 });
    const idle = await createRaw(platform, { idle_timeout_seconds: 1 });
    const lifetime = await createRaw(platform, { max_lifetime_seconds: 2 });
    const dies = await createRaw(platform);
    const killed = await createRaw(platform);

    await control(platform, "DELETE", `/v1/sandboxes/${killed.id}`);
    expect((await ended(platform, killed)).body).toMatchObject({ end_reason: "killed" });

    await killAgent(dies);
    const died = await ended(platform, dies);
    expect(died.body).toMatchObject({ end_reason: "task_failed" });
    expect((await agent(dies, "GET", "/files/list?path=/workspace")).body).toMatchObject({ code: "SANDBOX_EXPIRED" });

    expect((await ended(platform, timeout)).body).toMatchObject({ end_reason: "timeout", sandbox_id: timeout.id });
    expect((await ended(platform, idle)).body).toMatchObject({ end_reason: "idle" });
    expect((await ended(platform, lifetime)).body).toMatchObject({ end_reason: "lifetime" });
  });
});

/** kill -9, from the host, of the agent that runs a command in `sandbox`: the first agent among the command's ancestors. */
async function killAgent(sandbox: CreatedSandbox): Promise<void> {
  const marker = "sleep 16180339";
  const working = run(sandbox, marker, 100).catch(() => undefined);
  const command = await until("the command on the host", () =>
    processes().find((candidate) => candidate.command === marker),
  );
  const all = new Map(processes().map((candidate) => [candidate.pid, candidate]));
  let ancestor = all.get(command.parent);
  while (ancestor !== undefined && !/agent\.cjs/.test(ancestor.command)) ancestor = all.get(ancestor.parent);
  if (ancestor === undefined) throw new Error("no agent above the command");
  process.kill(ancestor.pid, "SIGKILL");
  await working;
}

describe("nothing is left behind", () => {
  it("after Ctrl-C with sandboxes running", async () => {
    const platform = await start();
    const sandbox = await createRaw(platform);
    await run(sandbox, "(sleep 600 >/dev/null 2>&1 &) ; echo started");
    const before = footprint(platform);
    expect(before.processes.length).toBeGreaterThan(2);
    expect(await platform.stop({ signal: "SIGINT", keepHome: true })).toBe(0);
    await expectNothingLeft(before);
    const again = await start({ home: platform.home });
    expect((await control(again, "GET", "/v1/sandboxes")).body).toMatchObject({ data: [] });
    expect((await ended(again, sandbox)).body).toMatchObject({ end_reason: "host_retired" });
  });

  it("after kill -9 of the platform and a start", async () => {
    const platform = await start();
    const sandboxes = [await createRaw(platform), await createRaw(platform), await createRaw(platform)];
    await Promise.all(
      sandboxes.map((sandbox) => run(sandbox, "(setsid sleep 600 >/dev/null 2>&1 &) ; echo x > /workspace/x")),
    );
    const before = footprint(platform);
    await platform.crash();
    running.length = 0;
    const again = await start({ home: platform.home, flags: ["--no-code-interpreter", "--pool", "base=0"] });
    await expectProcessesGone(before);
    // Nothing is warm, so whatever an instance would hold now is left over.
    expect(residue({ ...before, processes: [] }, true)).toEqual([]);
    for (const sandbox of sandboxes) {
      expect((await ended(again, sandbox)).body).toMatchObject({ end_reason: "host_retired" });
    }
    expect((await control(again, "GET", "/v1/sandboxes")).body).toMatchObject({ data: [] });
    const fresh = await createRaw(again);
    expect((await run(fresh, "ls /workspace | wc -l")).stdout.trim()).toBe("0");
  });

  it("after a sandbox is killed while it works", async () => {
    const platform = await start({ flags: ["--no-code-interpreter", "--pool", "base=0"] });
    const sandbox = await createRaw(platform);
    const working = run(sandbox, "sleep 600", 600).catch(() => undefined);
    await until("the command on the host", () =>
      familyOf(platform.pid).some(({ command }) => command.startsWith("sleep 600")),
    );
    const idle = new Set(
      familyOf(platform.platformPid).filter(({ command }) => /bwrap|agent\.cjs|sleep 600/.test(command)),
    );
    expect((await control(platform, "DELETE", `/v1/sandboxes/${sandbox.id}`)).status).toBe(200);
    await working;
    await until("end of its processes", () =>
      familyOf(platform.platformPid).every(({ pid }) => ![...idle].some((gone) => gone.pid === pid)),
    );
  });
});

describe("the host in the way", () => {
  it("a port in use is named, with the flag or variable that chooses another", async () => {
    const port = await freePort();
    const squatter = createServer().listen(port, "127.0.0.1");
    const home = await mkdtemp(join(tmpdir(), "bulkhead-port-"));
    try {
      const ran = await bulkhead([
        "start",
        "--no-code-interpreter",
        "--home",
        home,
        "--port",
        String(port),
        "--gateway-port",
        String(await freePort()),
      ]);
      expect(ran.code).not.toBe(0);
      expect(ran.stdout + ran.stderr).toContain(String(port));
      expect(ran.stdout + ran.stderr).toMatch(/in use/);
    } finally {
      squatter.close();
      await rm(home, { recursive: true, force: true });
    }
  });

  it("a second platform on the same data directory is refused", async () => {
    const platform = await start();
    const ports = ["--port", String(await freePort()), "--gateway-port", String(await freePort())];
    const ran = await bulkhead(["start", "--no-code-interpreter", "--home", platform.home, ...ports]);
    expect(ran.code).not.toBe(0);
    expect(ran.stdout + ran.stderr).toMatch(/another platform/i);
    expect((await control(platform, "GET", "/v1/sandboxes")).status).toBe(200);
  });

  it("a full host answers with a typed error and recovers", async () => {
    const platform = await start({ env: { BULKHEAD_MAX_SANDBOXES: "2" } });
    const two = [await createRaw(platform), await createRaw(platform)];
    const refused = await control(platform, "POST", "/v1/sandboxes", { template_name: "base" });
    expect([403, 429, 503]).toContain(refused.status);
    expect(refused.body).toMatchObject({ code: textLike(/RESOURCE_LIMIT_ERROR|CAPACITY_EXHAUSTED/) });
    await control(platform, "DELETE", `/v1/sandboxes/${two[0]?.id ?? ""}`);
    await until(
      "room",
      async () => (await control(platform, "POST", "/v1/sandboxes", { template_name: "base" })).status === 201,
    );
  });

  it("doctor says what is enforced here, for people and for programs", async () => {
    expect((await bulkhead(["doctor"])).stdout).toMatch(/memory/i);
    const { stdout } = await bulkhead(["doctor", "--json"]);
    expect(JSON.parse(stdout)).toBeTypeOf("object");
  });
});

describe.runIf(process.geteuid?.() === 0)("as another user than root", () => {
  it("refuses what it cannot enforce, and says so at the start", async () => {
    const platform = await start({ uid: 1234 });
    const answer = await control(platform, "POST", "/v1/sandboxes", { template_name: "base" });
    // No repeat helps, so no client shall repeat it.
    expect(answer).toMatchObject({ status: 422, body: { code: "HOST_UNSUITABLE", retryable: false } });
    expect(JSON.stringify(answer.body)).toMatch(/memory.*--allow-unenforced/);
    expect(platform.output()).toContain("--allow-unenforced");
  });

  it("isolates what it can when told to go on", async () => {
    const platform = await start({ uid: 1234, flags: ["--no-code-interpreter", "--allow-unenforced"] });
    const sandbox = await createRaw(platform);
    expect((await run(sandbox, "id -u; echo alive")).stdout).toContain("alive");
    const { body } = await control(platform, "GET", `/v1/sandboxes/${sandbox.id}`);
    expect(body).toMatchObject({
      enforced: { network: enforced, syscalls: enforced },
    });
    const before = footprint(platform, 1234);
    expect(await platform.stop({ keepHome: true })).toBe(0);
    await expectNothingLeft(before);
  });
});
