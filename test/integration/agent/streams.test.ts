import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { type StreamFrame, streamFrameSchema } from "#contracts/agent/stream.ts";
import { type AgentProcess, startAgent, until } from "./agent-process.ts";

let agent: AgentProcess;
const clients: WebSocket[] = [];

beforeAll(async () => {
  agent = await startAgent();
});
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate();
});
afterAll(() => agent.stop());

async function connect(path = "/execute/stream", options: ClientOptions = {}): Promise<WebSocket> {
  const client = new WebSocket(`ws+unix:${agent.socketPath}:${path}`, options);
  clients.push(client);
  await once(client, "open");
  return client;
}

/** The next frame as the published JavaScript client takes it: with a listener that is there for this one only. */
function next(client: WebSocket): Promise<StreamFrame> {
  return new Promise((resolve) =>
    client.once("message", (data: Buffer) => resolve(streamFrameSchema.parse(JSON.parse(data.toString())))),
  );
}

async function untilComplete(client: WebSocket): Promise<readonly StreamFrame[]> {
  const frames: StreamFrame[] = [];
  for (;;) {
    const frame = await next(client);
    frames.push(frame);
    if (frame.type === "complete") return frames;
  }
}

function execute(client: WebSocket, language: string, code: string, more: object = {}) {
  client.send(JSON.stringify({ type: "execute", language, code, workdir: agent.directory, ...more }));
}

function textOf(frames: readonly StreamFrame[], type: "stdout" | "stderr"): string {
  return frames.map((frame) => (frame.type === type ? frame.data : "")).join("");
}

/** Whether a process with this argument lives; the tests use arguments that occur once. */
function lives(argument: string): boolean {
  return readdirSync("/proc").some((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(argument);
    } catch {
      return false;
    }
  });
}

function agentMegabytes(): number {
  const status = readFileSync(`/proc/${agent.process.pid ?? 0}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

describe("a stream of code", () => {
  it("tells output as it comes, and how the run ended", async () => {
    const client = await connect();
    const code = "import sys\nprint('ä')\nprint('late', file=sys.stderr)\nsys.exit(3)";
    execute(client, "python", code);
    const frames = await untilComplete(client);
    expect(frames.map(({ type }) => type)).toEqual(["stdout", "stderr", "result", "complete"]);
    expect(frames[0]).toMatchObject({ data: "ä\n" });
    expect(frames[2]).toMatchObject({ exit_code: 3, success: false });
    expect(frames[3]).toMatchObject({ success: false });
  });

  it.each([
    ["bash", 'echo ready; while [ ! -e "$FLAG" ]; do sleep 0.02; done; echo seen'],
    [
      "python",
      "import os, time\nprint('ready')\nwhile not os.path.exists(os.environ['FLAG']): time.sleep(0.02)\nprint('seen')",
    ],
    [
      "javascript",
      "console.log('ready'); const { existsSync } = require('fs'); (function look() { existsSync(process.env.FLAG) ? console.log('seen') : setTimeout(look, 20); })()",
    ],
  ])("sends a line of %s before the run has ended", async (language, code) => {
    const client = await connect();
    const flag = `${agent.directory}/flag-${language}`;
    execute(client, language, code, { env: { FLAG: flag } });
    expect(await next(client)).toMatchObject({ type: "stdout", data: "ready\n" });
    await agent.ask("POST", "/files/write", { path: flag, content: "" });
    expect(textOf(await untilComplete(client), "stdout")).toBe("seen\n");
  });

  it.each([
    ["with", true],
    ["without", false],
  ])("loses none of 10,000 lines %s compression", async (_, perMessageDeflate) => {
    const client = await connect("/execute/stream", { perMessageDeflate });
    const frames: StreamFrame[] = [];
    const startedAt = performance.now();
    execute(client, "bash", "seq 10000");
    if (perMessageDeflate) frames.push(...(await untilComplete(client)));
    else client.on("message", (data: Buffer) => frames.push(streamFrameSchema.parse(JSON.parse(data.toString()))));
    await until(() => frames.at(-1)?.type === "complete");
    expect(textOf(frames, "stdout")).toBe(Array.from({ length: 10_000 }, (__, index) => `${index + 1}\n`).join(""));
    // More where the program paused within a line.
    expect(frames.length).toBeGreaterThanOrEqual(10_002);
    const rate = Math.round((frames.length / (performance.now() - startedAt)) * 1000);
    console.log(`${rate} frames/s ${perMessageDeflate ? "one at a time, inflated" : "uncompressed"}`);
  });

  it("carries a million lines, many in a frame when they are too many", async () => {
    const client = await connect();
    const startedAt = performance.now();
    execute(client, "bash", "seq 1000000");
    const frames = await untilComplete(client);
    const text = textOf(frames, "stdout");
    expect(text.length).toBe(6_888_896);
    expect(text.endsWith("\n999999\n1000000\n")).toBe(true);
    console.log(`1,000,000 lines in ${Math.round(performance.now() - startedAt)} ms, ${frames.length} frames`);
  });

  it("takes one run after the other, and one at a time", async () => {
    const client = await connect("/stream");
    execute(client, "bash", "echo one; read -r _ < <(sleep 0.3); echo two");
    expect(await next(client)).toMatchObject({ data: "one\n" });
    execute(client, "bash", "echo never");
    const frames = await untilComplete(client);
    expect(frames).toContainEqual(expect.objectContaining({ type: "error", code: "CONFLICT" }));
    expect(textOf(frames, "stdout")).toBe("two\n");
    execute(client, "bash", "echo three");
    expect(textOf(await untilComplete(client), "stdout")).toBe("three\n");
  });

  it.each([
    ["an unknown language", { type: "execute", language: "cobol", code: "" }, "UNSUPPORTED_LANGUAGE"],
    ["no code", { type: "execute" }, "MISSING_PARAMETER"],
    ["another type", { type: "input", data: "x" }, "INVALID_REQUEST"],
    ["no directory", { type: "execute", language: "bash", code: "", workdir: "/no/such" }, "DIRECTORY_NOT_FOUND"],
  ])("answers %s with a typed error and is complete then", async (_, frame, code) => {
    const client = await connect();
    client.send(JSON.stringify(frame));
    expect(await untilComplete(client)).toMatchObject([
      { type: "error", code },
      { type: "complete", success: false },
    ]);
    execute(client, "bash", "echo again");
    expect(textOf(await untilComplete(client), "stdout")).toBe("again\n");
  });

  it("ends a run at its timeout and says so", async () => {
    const client = await connect();
    execute(client, "bash", "echo before; sleep 60", { timeout: 0.3 });
    const frames = await untilComplete(client);
    expect(textOf(frames, "stderr")).toBe("Execution timed out after 0.3 s and was killed.\n");
    expect(frames.at(-2)).toMatchObject({ type: "result", exit_code: 124, timed_out: true });
  });
});

it("streams over TLS too", async () => {
  const secured = await startAgent({ BULKHEAD_AGENT_TLS: "1" });
  try {
    const createConnection = () => connectTls({ path: secured.socketPath, rejectUnauthorized: false });
    const client = new WebSocket("wss://agent/execute/stream", { createConnection });
    clients.push(client);
    await once(client, "open");
    execute(client, "bash", "seq 30000", { workdir: secured.directory });
    const text = textOf(await untilComplete(client), "stdout");
    expect(text).toBe(Array.from({ length: 30_000 }, (_, index) => `${index + 1}\n`).join(""));
  } finally {
    await secured.stop();
  }
});

describe("a caller", () => {
  it.each(["terminate", "close"] as const)("who goes away (%s) ends the run with its children", async (how) => {
    const client = await connect();
    const mark = how === "close" ? "4711.25" : "4711.5";
    execute(client, "bash", `setsid sleep ${mark} & sleep ${mark} & echo started; trap '' TERM; wait; wait`);
    expect(await next(client)).toMatchObject({ data: "started\n" });
    await until(() => lives(mark));
    client[how]();
    await until(() => !lives(mark));
  });

  it("who reads slowly holds the run back in bounded memory", async () => {
    const client = await connect();
    execute(client, "bash", "yes 'a line that is some forty bytes long' | head -c 100000000; echo 4712.5");
    await next(client);
    client.pause();
    let before = 0;
    let settled = 0;
    // Until memory stands still: everything on the way is full.
    await until(() => {
      const now = agentMegabytes();
      settled = Math.abs(now - before) < 1 ? settled + 1 : 0;
      before = now;
      return settled === 25;
    }, 30_000);
    console.log(`agent with a caller that reads nothing: ${Math.round(agentMegabytes())} MB`);
    expect(agentMegabytes()).toBeLessThan(200);
    let tail = "";
    client.on("message", (data: Buffer) => {
      const frame = streamFrameSchema.parse(JSON.parse(data.toString()));
      if (frame.type === "stdout") tail = (tail + frame.data).slice(-1_000);
      if (frame.type === "complete") client.close();
    });
    client.resume();
    await once(client, "close");
    expect(tail.endsWith("4712.5\n")).toBe(true);
    console.log(`after 100 MB: ${Math.round(agentMegabytes())} MB`);
    expect(agentMegabytes()).toBeLessThan(200);
  });
});

describe("a stream of a command", () => {
  it("runs lines for a shell, and programs with arguments", async () => {
    const client = await connect("/commands/stream");
    const command = (asked: object) => client.send(JSON.stringify({ workdir: agent.directory, ...asked }));
    command({ type: "run", command: "echo $((6 * 7))" });
    expect(textOf(await untilComplete(client), "stdout")).toBe("42\n");
    command({ type: "execute", command: "printf", args: ["%s|", "a b", "c"] });
    expect(textOf(await untilComplete(client), "stdout")).toBe("a b|c|");
    command({ command: "no-such-program", args: ["x"] });
    const frames = await untilComplete(client);
    expect(textOf(frames, "stderr")).toContain("command not found");
    expect(frames.at(-2)).toMatchObject({ type: "result", exit_code: 127 });
  });
});

describe("the paths of streams", () => {
  it("tell plain requests what they take", async () => {
    const { status, body } = await agent.ask("GET", "/execute/stream");
    expect([status, body["code"]]).toEqual([400, "INVALID_REQUEST"]);
  });

  it("refuse what is no WebSocket handshake with a typed error", async () => {
    const headers = { connection: "upgrade", upgrade: "websocket" };
    const sent = agent.open({ path: "/execute/stream", headers });
    sent.end();
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect(answer.statusCode).toBe(400);
    answer.resume();
  });
});
