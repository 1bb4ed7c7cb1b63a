import { EventEmitter, once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { commandOf } from "#cli/exec-command.ts";
import { CliError, exitCodeOfStatus, exitCodes } from "#cli/failure.ts";
import { makeInterrupts } from "#cli/interrupts.ts";
import { newPart } from "#cli/logs-command.ts";
import type { CliDeps } from "#cli/program.ts";
import { chooseLanguage } from "#cli/run-source.ts";
import { answer, type FakePlatform, startFakePlatform } from "./fake-platform.ts";
import { setUp } from "./support.ts";

let platform: FakePlatform;
let directory: string;

beforeEach(async () => {
  platform = await startFakePlatform();
  directory = await mkdtemp(join(tmpdir(), "bulkhead-cli-"));
});
afterEach(async () => {
  await platform.stop();
  await rm(directory, { recursive: true, force: true });
});

const timestamp = "2026-11-22T12:00:00.000Z";
const result = (exitCode: number, more: object = {}) => ({
  type: "result",
  success: exitCode === 0,
  exit_code: exitCode,
  execution_time: 0.1,
  timestamp,
  ...more,
});

function sendAll(ws: WebSocket, ...frames: readonly object[]): void {
  for (const frame of [...frames, { type: "complete", success: true, timestamp }]) ws.send(JSON.stringify(frame));
}

const bulkhead = (deps: Partial<CliDeps> = {}) => setUp({ deps: { connect: () => platform.connect(), ...deps } });

describe("bulkhead exec", () => {
  it("shows both streams and ends with the command's exit code", async () => {
    let asked: object = {};
    platform.sockets.set("/commands/stream", (ws, frame) => {
      asked = frame;
      const out = { type: "stdout", data: "out\n", timestamp };
      sendAll(ws, out, { type: "stderr", data: "err\n", timestamp }, result(3));
    });
    const ran = await bulkhead({ variable: () => "t" }).run(
      "exec",
      "--timeout",
      "5",
      "--env",
      "T",
      "s9",
      "--",
      "ls",
      "-l",
    );
    expect(ran).toEqual({ out: "out\n", err: "err\n", exitCode: 3 });
    expect(asked).toEqual({ command: "ls", args: ["-l"], env: { T: "t" }, timeout: 5 });
  });

  it("prints frames as lines with --json", async () => {
    platform.sockets.set("/commands/stream", (ws) => sendAll(ws, { type: "stdout", data: "a", timestamp }, result(0)));
    const { out, err } = await bulkhead().run("exec", "--json", "s9", "--", "x");
    expect(err).toBe("");
    expect(
      out
        .trim()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toMatchObject([
      { type: "stdout", data: "a" },
      { type: "result", exit_code: 0, sandbox_id: "s9" },
    ]);
  });

  it("takes one word for a program and not for a line of a shell", () => {
    expect(commandOf(["a b; c"])).toEqual({ command: "/bin/sh", args: ["-c", 'exec "$0"', "a b; c"] });
  });

  it.each([
    ["DIRECTORY_NOT_FOUND", exitCodes.notFound],
    ["INVALID_REQUEST", exitCodes.usage],
    ["RESOURCE_LIMIT_ERROR", exitCodes.limit],
    ["NEVER_HEARD_OF", exitCodes.other],
  ])("tells the agent's error %s", async (code, exitCode) => {
    platform.sockets.set("/commands/stream", (ws) => sendAll(ws, { type: "error", error: "No.", code, timestamp }));
    await expect(bulkhead().run("exec", "s9", "--", "x")).rejects.toMatchObject({ message: "No.", exitCode });
  });

  it("tells a connection that broke", async () => {
    platform.sockets.set("/commands/stream", (ws) => ws.terminate());
    await expect(bulkhead().run("exec", "s9", "--", "x")).rejects.toMatchObject({ exitCode: exitCodes.network });
  });

  it("says what to do about a sandbox that does not run", async () => {
    await expect(bulkhead().run("exec", "s9", "--", "x")).rejects.toThrow(/paused.*bulkhead resume/);
  });

  it("says so when nothing answers", async () => {
    const gone = makeGone();
    await expect(gone.run("exec", "s9", "--", "x")).rejects.toMatchObject({ exitCode: exitCodes.network });
  });

  function makeGone() {
    const connect = platform.connect;
    return setUp({
      deps: {
        connect: () => ({ ...connect(), sandbox: async () => Promise.reject(new CliError("gone", exitCodes.network)) }),
      },
    });
  }
});

describe("bulkhead run", () => {
  const code = "print(1)";
  let file: string;
  beforeEach(async () => {
    file = join(directory, "my plot.py");
    await writeFile(file, code);
  });

  it("runs in a sandbox of its own, saves pictures beside those that are there, and kills it", async () => {
    let asked: object = {};
    platform.sockets.set("/execute/stream", (ws, frame) => {
      asked = frame;
      sendAll(ws, { type: "stdout", data: "1\n", timestamp }, result(7, { png: "iVBORw==", html: "<p>ü</p>" }));
    });
    await writeFile(join(directory, "my plot-1.png"), "kept");
    const ran = await bulkhead().run("run", file, "--out", directory);
    expect(ran).toMatchObject({ out: "1\n", exitCode: 7 });
    expect(ran.err).toBe(`bulkhead: saved ${directory}/my plot-2.png\nbulkhead: saved ${directory}/my plot-1.html\n`);
    expect(await readFile(join(directory, "my plot-1.png"), "utf8")).toBe("kept");
    expect(await readFile(join(directory, "my plot-2.png"), "base64")).toBe("iVBORw==");
    expect(asked).toMatchObject({ type: "execute", code, language: "python" });
    expect(platform.requests.at(-1)).toBe("DELETE /v1/sandboxes/s9");
  });

  it("reads standard input and says what it saved in --json", async () => {
    platform.sockets.set("/execute/stream", (ws, { code: sent }) =>
      sendAll(ws, result(0, { svg: `<svg>${String(sent)}` })),
    );
    const ran = await bulkhead({ readInput: async () => "1" }).run("run", "-", "--json", "--out", directory);
    expect(JSON.parse(ran.out)).toMatchObject({ exit_code: 0, saved: [`${directory}/stdin-1.svg`] });
    expect(ran.err).toBe("");
  });

  it("kills the sandbox when the run fails, and keeps it when told to", async () => {
    platform.sockets.set("/execute/stream", (ws) => ws.terminate());
    await expect(bulkhead().run("run", file)).rejects.toMatchObject({ exitCode: exitCodes.network });
    expect(platform.requests.at(-1)).toBe("DELETE /v1/sandboxes/s9");
    platform.requests.length = 0;
    await expect(bulkhead().run("run", "--keep", file)).rejects.toThrow();
    expect(platform.requests).not.toContain("DELETE /v1/sandboxes/s9");
  });

  it("kills the sandbox on Ctrl-C and ends with 130", async () => {
    const signals = new EventEmitter();
    const interrupts = makeInterrupts(
      signals,
      new EventEmitter(),
      () => {},
      () => 0,
    );
    platform.sockets.set("/execute/stream", () => void signals.emit("SIGINT"));
    await expect(bulkhead({ interrupts }).run("run", file)).rejects.toMatchObject({ exitCode: 130 });
    expect(platform.requests.at(-1)).toBe("DELETE /v1/sandboxes/s9");
    expect(signals.listenerCount("SIGINT")).toBe(0);
  });

  it("says so when the sandbox cannot be killed, and still ends with the program's code", async () => {
    platform.sockets.set("/execute/stream", (ws) => sendAll(ws, result(7)));
    platform.handlers.set("DELETE /v1/sandboxes/s9", (_, res) => answer(res, 500, { message: "Broken." }));
    const ran = await bulkhead().run("run", file);
    expect(ran).toMatchObject({ exitCode: 7 });
    expect(ran.err).toMatch(/s9 could not be killed: Broken\..*bulkhead kill s9/);
  });

  it("knows languages by the file's name", () => {
    expect(["a.py", "a.JS", "a.ts", "a.sh", "a.go", "-"].map((name) => chooseLanguage(name, undefined))).toEqual([
      "python",
      "javascript",
      "typescript",
      "bash",
      "go",
      "python",
    ]);
    expect(() => chooseLanguage("Makefile", undefined)).toThrow(/--language/);
    expect(() => chooseLanguage("a.py", "cobol")).toThrow(expect.objectContaining({ exitCode: exitCodes.usage }));
  });

  it("makes no sandbox for a file that is not there", async () => {
    await expect(bulkhead().run("run", join(directory, "no.py"))).rejects.toMatchObject({
      exitCode: exitCodes.notFound,
    });
    expect(platform.requests).toEqual([]);
  });
});

describe("bulkhead cp", () => {
  const exists = (is: object) => {
    platform.handlers.set("GET /s/s9/files/exists", (_, res) => answer(res, 200, { path: "/x", ...is }));
  };

  it("sends a file as a form whose length is known", async () => {
    exists({ exists: false });
    const name = join(directory, "a b\n.bin");
    const content = Buffer.from([0, 255, 13, 10, 45, 45]);
    await writeFile(name, content);
    let got: { body: Buffer; length: string | undefined } | undefined;
    platform.handlers.set("POST /s/s9/files/upload", (req, res, body) => {
      got = { body, length: req.headers["content-length"] };
      answer(res, 200, {});
    });
    await bulkhead().run("cp", name, "s9:/tmp/c d");
    expect(got?.length).toBe(String(got?.body.length));
    expect(got?.body.includes(content)).toBe(true);
    expect(got?.body.toString()).toContain('name="path"\r\n\r\n/tmp/c d\r\n');
  });

  it("hands a refusal on", async () => {
    exists({ exists: false });
    await writeFile(join(directory, "a"), "x");
    platform.handlers.set("POST /s/s9/files/upload", (_, res) =>
      answer(res, 403, { message: "Path not allowed", code: "PATH_NOT_ALLOWED" }),
    );
    await expect(bulkhead().run("cp", join(directory, "a"), "s9:/etc/a")).rejects.toMatchObject({
      message: "Path not allowed",
      exitCode: exitCodes.auth,
    });
  });

  it("leaves nothing of a download that breaks off", async () => {
    exists({ exists: true, is_directory: false });
    platform.sockets.set("/commands/stream", (ws) =>
      sendAll(ws, { type: "stdout", data: ["f", "644", "100", "", ""].join("\0"), timestamp }, result(0)),
    );
    platform.handlers.set("GET /s/s9/files/download", (_, res) => {
      res.writeHead(200, { "content-length": "100" });
      res.write("half", () => res.destroy());
    });
    await writeFile(join(directory, "target"), "before");
    await expect(bulkhead().run("cp", "s9:file", join(directory, "target"))).rejects.toThrow(/was not written/);
    expect(await readdir(directory)).toEqual(["target"]);
    expect(await readFile(join(directory, "target"), "utf8")).toBe("before");
  });

  it.each([
    ["a", "b"],
    ["s9:a", "s9:b"],
  ])("refuses %s to %s", async (source, target) => {
    await expect(bulkhead().run("cp", source, target)).rejects.toMatchObject({ exitCode: exitCodes.usage });
  });
});

describe("bulkhead sh", () => {
  it("refuses where there is no terminal, and says what works there", async () => {
    await expect(bulkhead().run("sh", "s9")).rejects.toMatchObject({
      exitCode: exitCodes.usage,
      message: expect.stringContaining("bulkhead exec") as unknown,
    });
  });

  it("wants an id or --new, not both", async () => {
    await expect(bulkhead().run("sh")).rejects.toMatchObject({ exitCode: exitCodes.usage });
    await expect(bulkhead().run("sh", "s9", "--new")).rejects.toMatchObject({ exitCode: exitCodes.usage });
  });

  function fakeTerminal() {
    const events = new EventEmitter();
    const state = { raw: false };
    const terminal: CliDeps["terminal"] = {
      present: true,
      size: () => ({ cols: 100, rows: 40 }),
      onResize(listener) {
        events.on("resize", listener);
        return () => void events.off("resize", listener);
      },
      raw(onKeys) {
        state.raw = true;
        const onText = (text: string) => void onKeys(text);
        events.on("keys", onText);
        return () => {
          state.raw = false;
          events.off("keys", onText);
        };
      },
    };
    return { terminal, events, state };
  }

  it("hands keys and sizes on, and ends with the shell's exit code", async () => {
    const { terminal, events, state } = fakeTerminal();
    const frames: unknown[] = [];
    platform.sockets.set("/terminal", (ws, first) => {
      frames.push(first);
      ws.on("message", (data: Buffer) => {
        frames.push(JSON.parse(data.toString()));
        ws.send(JSON.stringify({ type: "output", data: "ü\r\n" }));
        ws.send(JSON.stringify({ type: "exit", code: 7 }));
      });
      events.emit("resize");
    });
    const running = bulkhead({ terminal }).run("sh", "s9");
    await once(events, "newListener");
    while (!state.raw) await new Promise((resolve) => setImmediate(resolve));
    events.emit("keys", "é");
    expect(await running).toMatchObject({ out: "ü\r\n", exitCode: 7 });
    expect(frames).toEqual([
      { type: "input", data: "é" },
      { type: "resize", cols: 100, rows: 40 },
    ]);
    expect(state.raw).toBe(false);
    expect(events.listenerCount("resize")).toBe(0);
  });

  it("says detached when the connection breaks, and gives the terminal back", async () => {
    const { terminal, events, state } = fakeTerminal();
    platform.sockets.set("/terminal", (ws) => ws.terminate());
    const running = bulkhead({ terminal }).run("sh", "s9");
    running.catch(() => {});
    while (!state.raw) await new Promise((resolve) => setImmediate(resolve));
    events.emit("keys", "x");
    await expect(running).rejects.toMatchObject({
      exitCode: exitCodes.network,
      message: expect.stringMatching(/^Detached/) as unknown,
    });
    expect(state.raw).toBe(false);
  });
});

describe("exit codes", () => {
  it.each([
    [401, undefined, exitCodes.auth],
    [403, undefined, exitCodes.auth],
    [403, "RESOURCE_LIMIT_ERROR", exitCodes.limit],
    [404, undefined, exitCodes.notFound],
    [410, "SANDBOX_EXPIRED", exitCodes.notFound],
    [408, undefined, exitCodes.timeout],
    [429, undefined, exitCodes.limit],
    [503, "CAPACITY_EXHAUSTED", exitCodes.limit],
    [503, "AGENT_UNREACHABLE", exitCodes.other],
    [400, undefined, exitCodes.usage],
    [500, undefined, exitCodes.other],
  ])("of HTTP %d %s is %d", (status, code, exitCode) => {
    expect(exitCodeOfStatus(status, code)).toBe(exitCode);
  });
});

describe("interruptions", () => {
  it("are thrown when the work has cleaned up; who insists a second later does not wait", async () => {
    const signals = new EventEmitter();
    const output = new EventEmitter();
    const insisted: number[] = [];
    let now = 0;
    const onSecond = (code: number) => void insisted.push(code);
    const { during } = makeInterrupts(signals, output, onSecond, () => now);
    let cleaned = false;
    const ended = during(async (signal) => {
      output.emit("error", new Error("EPIPE"));
      expect(signal.aborted).toBe(true);
      signals.emit("SIGHUP");
      expect(insisted).toEqual([]);
      now = 1000;
      signals.emit("SIGTERM");
      cleaned = true;
    });
    await expect(ended).rejects.toMatchObject({ exitCode: 141 });
    expect(cleaned).toBe(true);
    expect(insisted).toEqual([143]);
    expect(signals.eventNames()).toEqual([]);
  });
});

describe("bulkhead logs", () => {
  const background = (id: string, more: object = {}) => ({ process_id: id, name: "job", status: "running", ...more });
  const list = (...processes: readonly object[]) => {
    platform.handlers.set("GET /s/s9/execute/processes", (_, res) => answer(res, 200, { processes }));
  };
  const show = (id: string, ...answers: readonly object[]) => {
    let at = 0;
    platform.handlers.set(`GET /s/s9/execute/processes/${id}`, (_, res) => {
      answer(res, 200, { ...background(id), ...answers[Math.min(at, answers.length - 1)] });
      at += 1;
    });
  };

  it("shows what each has written", async () => {
    list(background("p1"), background("p2"));
    show("p1", { stdout: "one\n", stderr: "" });
    show("p2", { stdout: "", stderr: "two\n" });
    const ran = await bulkhead().run("logs", "s9");
    expect(ran).toEqual({ out: "one\n", err: "==> p1 <==\n==> p2 <==\ntwo\n", exitCode: 0 });
  });

  it("follows one to its end and ends with its exit code", async () => {
    list(background("p1"));
    show("p1", { stdout: "a\n" }, { stdout: "a\nb\n" }, { stdout: "a\nb\nc\n", status: "failed", exit_code: 5 });
    const ran = await bulkhead().run("logs", "s9", "--follow");
    expect(ran).toEqual({ out: "a\nb\nc\n", err: "bulkhead: p1 failed with exit code 5\n", exitCode: 5 });
  });

  it("asks which one to follow", async () => {
    list(background("p1"), background("p2"));
    await expect(bulkhead().run("logs", "s9", "--follow")).rejects.toThrow(/--process: p1, p2/);
  });

  it("goes on where it was when the begin of the output was dropped", () => {
    expect(newPart("abc", "abcd")).toBe("d");
    expect(newPart(`${"x".repeat(500)}end`, `${"x".repeat(300)}end more`)).toBe(" more");
    expect(newPart("gone", "all new")).toBe("all new");
  });

  it("ps --background lists them, without letting their names drive the terminal", async () => {
    list(background("p1", { name: "a\u001b[2Jb", exit_code: 0, status: "completed" }));
    expect((await bulkhead().run("ps", "s9", "--background")).out).toContain("p1  completed  0     -    a\ufffd[2Jb");
  });
});
