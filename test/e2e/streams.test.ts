import { once } from "node:events";
import { resolve } from "node:path";
import type { Sandbox } from "@hopx-ai/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type StreamFrame, streamFrameSchema } from "#contracts/agent/stream.ts";
import { makeClient } from "./support/client.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { pythonWithClient, runPython } from "./support/python.ts";
import { until } from "./support/until.ts";

let platform: RunningPlatform;
let sandbox: Sandbox;

beforeAll(async () => {
  platform = await startPlatform();
  sandbox = await makeClient(platform).create();
  return async () => {
    await platform.stop();
  };
});

async function take(messages: AsyncIterable<unknown>, onFirst = async () => {}): Promise<readonly StreamFrame[]> {
  const taken: StreamFrame[] = [];
  for await (const message of messages) {
    taken.push(streamFrameSchema.parse(message));
    if (taken.length === 1) await onFirst();
  }
  return taken;
}

function textOf(messages: readonly StreamFrame[], type: "stdout" | "stderr"): string {
  return messages.map((message) => (message.type === type ? message.data : "")).join("");
}

describe("streams through the published JavaScript client", () => {
  it("bring 10,000 lines in order, none lost", async () => {
    const startedAt = performance.now();
    const messages = await take(sandbox.runCodeStream("for i in range(10_000): print(i, flush=True)"));
    const rate = (messages.length / (performance.now() - startedAt)) * 1000;
    console.log(`${Math.round(rate)} frames/s with the JavaScript client through the gateway`);
    expect(textOf(messages, "stdout")).toBe(Array.from({ length: 10_000 }, (_, index) => `${index}\n`).join(""));
    expect(messages.at(-2)).toMatchObject({ type: "result", exit_code: 0 });
    expect(messages.at(-1)).toMatchObject({ type: "complete", success: true });
  });

  it("bring a million lines in bounded time", async () => {
    const startedAt = performance.now();
    const messages = await take(sandbox.runCodeStream("seq 1000000", { language: "bash" }));
    console.log(`1,000,000 lines in ${Math.round(performance.now() - startedAt)} ms, ${messages.length} frames`);
    const text = textOf(messages, "stdout");
    expect(text.length).toBe(6_888_896);
    expect(text.endsWith("\n999999\n1000000\n")).toBe(true);
  });

  it("bring each line when it is written, with the environment and the directory that were asked for", async () => {
    await sandbox.files.remove("/tmp/flag").catch(() => undefined);
    const code = 'echo "$A $PWD"; while [ ! -e flag ]; do sleep 0.02; done; echo seen';
    const options = { language: "bash", workingDir: "/tmp", env: { A: "b" } };
    const messages = await take(sandbox.runCodeStream(code, options), () => sandbox.files.write("/tmp/flag", ""));
    expect(textOf(messages, "stdout")).toBe("b /tmp\nseen\n");
  });

  it("end the run of a caller who leaves", async () => {
    const lives = async (): Promise<boolean> =>
      (await sandbox.commands.run("pgrep -x sleep -a")).stdout.includes("4713.5");
    // Not by the client, which closes its connection after the last message only.
    const host = new URL((await sandbox.getInfo()).publicHost).host;
    const headers = { authorization: `Bearer ${await sandbox.getToken()}` };
    const caller = new WebSocket(`ws://${host}/execute/stream`, { headers });
    await once(caller, "open");
    caller.send(JSON.stringify({ language: "bash", code: "setsid sleep 4713.5 & echo started; wait" }));
    const [first] = (await once(caller, "message")) as [Buffer];
    expect(JSON.parse(first.toString())).toMatchObject({ type: "stdout", data: "started\n" });
    expect(await lives()).toBe(true);
    caller.terminate();
    await until("end of the run", async () => !(await lives()));
  });
});

describe("streams through the published Python clients", () => {
  it("keep every promise", async () => {
    const script = resolve(import.meta.dirname, "python/stream_client.py");
    const env = { BULKHEAD_URL: platform.url, HOPX_API_KEY: platform.apiKey };
    const stdout = await runPython(await pythonWithClient(), script, env);
    console.log(stdout);
    expect(stdout.trim().split("\n").at(-1)).toBe("all promises kept");
  });
});
