import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { parseStat } from "#agent/proc.ts";
import { type AgentProcess, startAgent, until } from "./agent-process.ts";

/** Nobody else on this machine has it: what is frozen here is this file's. */
const userId = 4329;

let agent: AgentProcess;

beforeAll(async () => {
  const id = String(userId);
  agent = await startAgent({ BULKHEAD_USER_UID: id, BULKHEAD_USER_GID: id });
  chownSync(agent.directory, userId, userId);
  chmodSync(agent.directory, 0o755);
  const lib = join(agent.directory, "tools/lib");
  mkdirSync(lib, { recursive: true });
  const binding = createRequire(import.meta.url).resolve(`@lydell/node-pty-linux-${process.arch}/pty.node`);
  copyFileSync(binding, join(lib, "pty.node"));
});
afterEach(async () => {
  await agent.ask("POST", "/_bulkhead/thaw");
  await until(() => {
    for (const { pid, state } of own()) if (state !== "Z") process.kill(pid, "SIGKILL");
    return own().length === 0;
  });
});
afterAll(() => agent.stop());

/** The user's processes. */
function own() {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      if (!new RegExp(`^Uid:\\s+${userId}\\s`, "m").test(status)) return [];
      const stat = parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
      const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return stat === undefined ? [] : [{ ...stat, args }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

const running = () => own().filter(({ state }) => !["T", "Z", "D"].includes(state));
const stateOf = (argument: string) => own().find(({ args }) => args.includes(argument))?.state;

async function control(operation: "freeze" | "thaw") {
  const { status, body } = await agent.ask("POST", `/_bulkhead/${operation}`);
  expect([status, body["code"]]).toEqual([200, undefined]);
  return body;
}

const command = (line: string, more: Readonly<Record<string, unknown>> = {}) =>
  agent.ask("POST", "/commands/run", { command: line, workdir: agent.directory, ...more });

describe("freezing", () => {
  it("stops everything of the user's, whatever session it is in, and lets it go on", async () => {
    const counting = "while true; do n=$((n+1)); echo $n > count; done";
    await command(`setsid bash -c '${counting}' > /dev/null 2>&1 & (sleep 4791.1 > /dev/null &)`);
    const count = () => Number(readFileSync(join(agent.directory, "count"), "utf8"));
    await until(() => own().some(({ args }) => args.includes(counting)) && stateOf("4791.1") === "S");
    expect(await control("freeze")).toMatchObject({ frozen: true });
    expect(running()).toEqual([]);
    const ticks = () => own().reduce((sum, each) => sum + each.cpuTicks, 0);
    const before = ticks();
    expect(await control("freeze")).toMatchObject({ frozen: true });
    expect([running(), ticks()]).toEqual([[], before]);
    expect(await control("thaw")).toMatchObject({ frozen: false });
    const then = count();
    await until(() => count() > then);
    expect(stateOf("4791.1")).toBe("S");
  });

  it("leaves a job stopped that the user had stopped", async () => {
    await command("(sleep 4792.1 > /dev/null &); (sleep 4792.2 > /dev/null &)");
    await until(() => stateOf("4792.1") === "S" && stateOf("4792.2") === "S");
    await command("kill -STOP $(pgrep -xf 'sleep 4792.1')");
    await until(() => stateOf("4792.1") === "T");
    await control("freeze");
    await control("thaw");
    expect([stateOf("4792.1"), stateOf("4792.2")]).toEqual(["T", "S"]);
  });

  it("refuses new executions meanwhile and answers its health", async () => {
    await control("freeze");
    const refused = await command("echo");
    expect([refused.status, refused.body["code"]]).toEqual([409, "SANDBOX_STOPPED"]);
    expect((await agent.ask("GET", "/health")).status).toBe(200);
    await control("thaw");
    expect((await command("echo")).status).toBe(200);
  });

  it("gives a run the time that it had left", async () => {
    const run = command("sleep 0.7; echo done", { timeout: 1 });
    await until(() => own().length > 0);
    await control("freeze");
    // Longer than it had.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(running()).toEqual([]);
    await control("thaw");
    expect((await run).body).toMatchObject({ stdout: "done\n", exit_code: 0 });
  });

  it("still ends a run whose caller hangs up", async () => {
    const body = JSON.stringify({ command: "sleep 4793.1", workdir: agent.directory });
    const sent = agent.open({ method: "POST", path: "/commands/run" });
    sent.on("error", () => {});
    sent.end(body);
    await until(() => stateOf("4793.1") === "S");
    await control("freeze");
    sent.destroy();
    await until(() => stateOf("4793.1") === undefined);
  });

  it("catches up with a loop of forks at the limit of processes", { timeout: 60_000 }, async () => {
    await command("ulimit -u 60; (bomb() { bomb | bomb & }; bomb) > /dev/null 2>&1 &");
    await command("(while true; do (true); done) > /dev/null 2>&1 &");
    await until(() => own().length > 30);
    for (let round = 0; round < 5; round += 1) {
      await control("freeze");
      expect(running()).toEqual([]);
      await control("thaw");
    }
    await control("freeze");
    for (let lap = 0; own().some(({ state }) => state !== "Z") && lap < 100; lap += 1) {
      for (const { pid } of own()) process.kill(pid, "SIGKILL");
    }
  });
});

describe("a terminal", () => {
  it("does not notice that its job was frozen", { timeout: 60_000 }, async () => {
    const ws = new WebSocket(`ws+unix:${agent.socketPath}:/terminal`);
    let output = "";
    const frameSchema = z.looseObject({ type: z.string(), data: z.string().optional() });
    ws.on("message", (data: Buffer) => {
      output += frameSchema.parse(JSON.parse(data.toString())).data ?? "";
    });
    await new Promise((resolve, reject) => {
      ws.once("open", resolve);
      ws.once("error", reject);
    });
    const type = (data: string) => ws.send(JSON.stringify({ type: "input", data }));
    // In two pieces, so that its echo is not taken for the prompt.
    type("PS1='rea''dy> '\r");
    await until(() => output.includes("ready> "));
    type("sleep 4794.1 | sleep 4794.2\r");
    await until(() => stateOf("4794.1") === "S" && stateOf("4794.2") === "S");
    for (let round = 0; round < 30; round += 1) {
      await control("freeze");
      expect(running()).toEqual([]);
      await control("thaw");
    }
    expect([stateOf("4794.1"), stateOf("4794.2")]).toEqual(["S", "S"]);
    type("\u0003");
    await until(() => stateOf("4794.2") === undefined);
    type("echo jobs=$(jobs | wc -l)\r");
    await until(() => output.includes("jobs=0"));
    expect(output).not.toContain("Stopped");
    ws.terminate();
  });
});
