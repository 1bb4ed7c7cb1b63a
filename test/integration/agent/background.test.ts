import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backgroundProcessDetailSchema, backgroundProcessSchema } from "#contracts/agent/background.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";

let agent: AgentProcess;

beforeAll(async () => {
  agent = await startAgent();
});
afterAll(() => agent.stop());

async function start(path: string, body: Readonly<Record<string, unknown>>): Promise<string> {
  const answer = await agent.ask("POST", path, { workdir: agent.directory, ...body });
  expect([answer.status, answer.body["code"]]).toEqual([200, undefined]);
  return String(answer.body["process_id"]);
}

async function detail(id: string) {
  const { status, body } = await agent.ask("GET", `/execute/processes/${id}`);
  expect(status).toBe(200);
  return backgroundProcessDetailSchema.strict().parse(body);
}

async function untilStatus(id: string, status: string) {
  const giveUp = Date.now() + 15_000;
  for (;;) {
    const seen = await detail(id);
    if (seen.status === status) return seen;
    if (Date.now() > giveUp) throw new Error(`${id} is ${seen.status}, not ${status}`);
    await pause(20);
  }
}

async function listed() {
  const { body } = await agent.ask("GET", "/execute/processes");
  return backgroundProcessSchema.strict().array().parse(body["processes"]);
}

describe("in the background", () => {
  it("code runs on, is listed, and its output is there after its end", async () => {
    const id = await start("/execute/background", { code: "print('out', flush=True); 1/0", name: "divide" });
    const ended = await untilStatus(id, "failed");
    expect(ended).toMatchObject({ name: "divide", language: "python", exit_code: 1, stdout: "out\n" });
    expect(ended.stderr).toContain("ZeroDivisionError");
    expect(ended.end_time).not.toBeNull();
    expect((await listed()).map(({ process_id: one }) => one)).toContain(id);
  });

  it("a command answers at once, with what callers of a command read", async () => {
    const answer = await agent.ask("POST", "/commands/background", {
      ...{ command: "bash", args: ["-c", "echo begun; sleep 60"], timeout: 120, workdir: agent.directory },
    });
    expect(answer.body).toMatchObject({ stdout: "", stderr: "", exit_code: 0, success: true, status: "running" });
    const id = String(answer.body["process_id"]);
    const giveUp = Date.now() + 10_000;
    while ((await detail(id)).stdout !== "begun\n" && Date.now() < giveUp) await pause(20);
    expect((await detail(id)).stdout).toBe("begun\n");
    expect((await agent.ask("POST", `/execute/kill/${id}`)).body).toMatchObject({ success: true, process_id: id });
    expect(await detail(id)).toMatchObject({ status: "killed" });
    expect((await agent.ask("POST", `/execute/kill/${id}`)).body).toMatchObject({ success: true });
  });

  it("shows what Python writes while it runs", async () => {
    const id = await start("/execute/background", { code: "print('begun'); import time; time.sleep(60)" });
    const giveUp = Date.now() + 10_000;
    while ((await detail(id)).stdout !== "begun\n" && Date.now() < giveUp) await pause(20);
    expect((await detail(id)).stdout).toBe("begun\n");
    await agent.ask("POST", `/execute/kill/${id}`);
  });

  it("says at once what cannot be started, and keeps nothing of it", async () => {
    const before = (await listed()).length;
    const workdir = join(agent.directory, "none");
    for (const [path, body] of [
      ["/commands/background", { command: "true" }],
      ["/execute/background", { code: "true", language: "bash" }],
    ] as const) {
      const { status, body: answer } = await agent.ask("POST", path, { ...body, workdir });
      expect([status, answer["code"]]).toEqual([404, "DIRECTORY_NOT_FOUND"]);
    }
    expect(await listed()).toHaveLength(before);
    // As a shell says it, which is no failure of ours.
    const id = await start("/commands/background", { command: "no-such-program", args: ["x"] });
    expect(await untilStatus(id, "failed")).toMatchObject({ exit_code: 127, pid: null });
  });

  it("is no activity of its own", async () => {
    const id = await start("/commands/background", { command: "sleep 30" });
    expect((await agent.ask("GET", "/_bulkhead/state")).body).toMatchObject({ active_executions: 0 });
    await agent.ask("POST", `/execute/kill/${id}`);
  });

  it("a kill takes what left the process group, and every spelling of it works", async () => {
    const file = join(agent.directory, "alive");
    const escaping = `setsid bash -c 'while :; do touch ${file}; sleep 0.05; done' & sleep 60`;
    const spell: readonly ((id: string) => Promise<{ status: number }>)[] = [
      (id) => agent.ask("DELETE", `/execute/kill?process_id=${id}`),
      (id) => agent.ask("POST", `/processes/${id}/kill`),
      (id) => agent.ask("POST", "/execute/kill", { process_id: id }),
      async (id) => agent.ask("POST", `/execute/kill/${(await detail(id)).pid ?? 0}`),
      async (id) => agent.ask("POST", `/execute/kill/${(await detail(id)).execution_id}`),
    ];
    for (const kill of spell) {
      const id = await start("/commands/background", { command: escaping });
      while (!existsSync(file)) await pause(20);
      expect((await kill(id)).status).toBe(200);
      expect(await detail(id)).toMatchObject({ status: "killed" });
      await agent.ask("POST", "/commands/run", { command: `rm -f ${file}`, workdir: agent.directory });
      await pause(200);
      expect(existsSync(file)).toBe(false);
    }
  });

  it("ends at its timeout", async () => {
    const id = await start("/execute/background", { code: "sleep 60", language: "bash", timeout: 0.2 });
    const ended = await untilStatus(id, "failed");
    expect(ended).toMatchObject({ exit_code: 124 });
    expect(ended.stderr).toContain("timed out");
  });

  it("keeps the first and the last of a flood", async () => {
    const id = await start("/commands/background", { command: "seq 1 200000" });
    const { stdout } = await untilStatus(id, "completed");
    expect(stdout.length).toBeLessThan(140_000);
    expect(stdout.startsWith("1\n2\n")).toBe(true);
    expect(stdout.endsWith("199999\n200000\n")).toBe(true);
  });

  it("refuses what does not exist and what is wrong", async () => {
    const codes = async (method: string, path: string, body?: unknown) => {
      const answer = await agent.ask(method, path, body);
      return [answer.status, answer.body["code"]];
    };
    expect(await codes("POST", "/execute/kill/null")).toEqual([404, "PROCESS_NOT_FOUND"]);
    expect(await codes("POST", "/execute/kill/1")).toEqual([404, "PROCESS_NOT_FOUND"]);
    expect(await codes("POST", `/processes/${agent.process.pid ?? 0}/kill`)).toEqual([404, "PROCESS_NOT_FOUND"]);
    expect(await codes("POST", "/execute/kill/proc_none")).toEqual([404, "PROCESS_NOT_FOUND"]);
    expect(await codes("GET", "/execute/processes/proc_none")).toEqual([404, "PROCESS_NOT_FOUND"]);
    expect(await codes("POST", "/processes/none/kill")).toEqual([404, "PROCESS_NOT_FOUND"]);
    expect(await codes("POST", "/execute/kill", {})).toEqual([400, "MISSING_PARAMETER"]);
    expect(await codes("POST", "/execute/background", { code: "x", language: "cobol" })).toEqual([
      400,
      "UNSUPPORTED_LANGUAGE",
    ]);
    expect(await codes("POST", "/commands/background", {})).toEqual([400, "MISSING_PARAMETER"]);
    expect(await codes("POST", "/execute/async", { code: "1", callback_url: "http://x/" })).toEqual([
      400,
      "INVALID_REQUEST",
    ]);
  });

  it("ten thousand end in typed refusals, with the agent well", async () => {
    const answers = new Map<string, number>();
    const one = async () => {
      const { status, body } = await agent.ask("POST", "/commands/background", {
        ...{ command: "sleep", args: ["1000"], workdir: agent.directory },
      });
      const outcome = `${status} ${typeof body["code"] === "string" ? body["code"] : ""}`;
      answers.set(outcome, (answers.get(outcome) ?? 0) + 1);
    };
    for (let count = 0; count < 10_000; count += 10) await Promise.all(Array.from({ length: 10 }, one));
    expect(Object.fromEntries(answers)).toEqual({ "200 ": 200, "403 RESOURCE_LIMIT_ERROR": 9_800 });
    expect((await agent.ask("GET", "/health")).body).toMatchObject({ status: "healthy" });
    const { body } = await agent.ask("POST", "/commands/run", { command: "echo well", workdir: agent.directory });
    expect(body).toMatchObject({ stdout: "well\n" });
    const running = (await listed()).filter(({ status }) => status === "running");
    expect(running).toHaveLength(200);
    await Promise.all(running.map(({ process_id: id }) => agent.ask("POST", `/execute/kill/${id}`)));
    expect((await listed()).filter(({ status }) => status === "running")).toEqual([]);
    await untilStatus(await start("/commands/background", { command: "true" }), "completed");
  }, 120_000);
});
