import { join } from "node:path";
import type { Sandbox } from "@hopx-ai/sdk";
import { beforeAll, describe, expect, it } from "vitest";
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

type Socket = Awaited<ReturnType<Sandbox["terminal"]["connect"]>>;

/** A terminal that reads all the time. */
async function open() {
  const ws: Socket = await sandbox.terminal.connect();
  let text = "";
  let code: number | undefined;
  const ended = (async () => {
    for await (const message of sandbox.terminal.output(ws)) {
      if (message.type === "output") text += message.data;
      if (message.type === "exit") code = message.code;
    }
    return code;
  })();
  return {
    ws,
    ended,
    text: () => text,
    type: (data: string) => sandbox.terminal.sendInput(ws, data),
    see: (pattern: RegExp) => until(`${pattern.source} in the terminal`, () => pattern.test(text)),
  };
}

async function processes(pattern: string): Promise<string> {
  const { stdout } = await sandbox.commands.run(`ps -eo args | grep -E '${pattern}' | grep -v grep || true`);
  return stdout.trim();
}

describe("a terminal through the JavaScript client", () => {
  it("is a shell of the sandbox's user on a real terminal, and tells how it ended", async () => {
    const terminal = await open();
    terminal.type("stty size; tty; id -un; pwd; echo $TERM\n");
    await terminal.see(/24 80\r\n\/dev\/pts\/\d+\r\nuser\r\n\/workspace\r\nxterm-256color\r\n/);
    sandbox.terminal.resize(terminal.ws, 132, 43);
    terminal.type("stty size; exit 3\n");
    expect(await terminal.ended).toBe(3);
    expect(terminal.text()).toContain("43 132\r\n");
  });

  it("passes Ctrl-C on and keeps its jobs", async () => {
    const terminal = await open();
    terminal.type("echo be''gun; sleep 1111\n");
    await terminal.see(/begun\r\n/);
    await until("the command", async () => (await processes("sleep 1111")) !== "");
    terminal.type("\u0003");
    await terminal.see(/\^C[\s\S]*\$ $/);
    terminal.type("echo code=$?; sleep 2222 & jobs\n");
    await terminal.see(/code=130/);
    await terminal.see(/Running +sleep 2222/);
    terminal.ws.close();
    await until("nothing left", async () => (await processes("sleep 2222|bash -l")) === "");
  });

  it("loses no line of a flood", async () => {
    const terminal = await open();
    terminal.type("stty -echo -onlcr; seq 1 200000; exit\n");
    expect(await terminal.ended).toBe(0);
    const lines = Array.from({ length: 200_000 }, (_, n) => String(n + 1)).join("\n");
    expect(terminal.text().includes(lines)).toBe(true);
  });

  it("says so when no process can be started for it, and the agent lives on", async () => {
    const filler = await open();
    // As many as the sandbox may have, and they stay.
    filler.type("sh -c 'while :; do sleep 3333 & done'; echo fi''lled\n");
    await filler.see(/annot fork[\s\S]*filled/);
    const frames: unknown[] = [];
    const ws: Socket = await sandbox.terminal.connect();
    for await (const message of sandbox.terminal.output(ws)) {
      frames.push(message);
      if (message.type === "output") ws.close();
    }
    // There may have been just enough room; what counts is that it ended one way or the other, and that the agent answers.
    expect(frames.length).toBeGreaterThan(0);
    expect(await sandbox.isHealthy()).toBe(true);
    filler.ws.close();
    await until("room again", async () => (await processes("sleep 3333")) === "");
  });
});

describe("a terminal through the Python clients", () => {
  it("works in both", async () => {
    const script = join(import.meta.dirname, "python/terminal.py");
    const env = { API_KEY: platform.apiKey, BASE_URL: platform.url, SANDBOX_ID: sandbox.sandboxId };
    expect(await runPython(await pythonWithClient(), script, env)).toBe("OK\n");
  });
});
