import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { AgentClock } from "#agent/clock.ts";
import type { RichResult } from "#agent/exec/run.ts";
import type { Fields } from "#agent/fields.ts";
import type { AgentSocket } from "#agent/socket.ts";
import { makeOutputFrames } from "#agent/streams/output-frames.ts";
import { parseStreamCell, parseStreamCommand, parseStreamExecute } from "#agent/streams/parse.ts";
import { resultFrame, richLimitOf } from "#agent/streams/result-frame.ts";
import { type ReadRun, runRoute } from "#agent/streams/run-route.ts";
import {
  streamCellSchema,
  streamCommandSchema,
  streamExecuteSchema,
  streamFrameSchema,
} from "#contracts/agent/stream.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Logger } from "#telemetry/logger.ts";
import { noopLogger } from "#telemetry/logger.ts";

const clock: AgentClock = { now: () => 1_800_000_000_000, after: () => () => {} };
const timestamp = "2027-01-15T08:00:00.000Z";

describe("frames of callers parsed by hand", () => {
  const values: readonly unknown[] = [
    ...[undefined, null, "", "x", "execute", "run", "x".repeat(129), "x".repeat(5_000)],
    ...[0, -1, 7, 2.5, 9_999, true, [], ["a"], ["a", 1], {}, { A: "1" }, { "1A": "x" }, { A: 1 }],
  ];
  it.each([
    ["/execute/stream", streamExecuteSchema, parseStreamExecute],
    ["/commands/stream", streamCommandSchema, parseStreamCommand],
    ["/stream/ipython", streamCellSchema, parseStreamCell],
  ])("%s agrees with its schema", (_, schema, parse) => {
    const sample: Fields = { type: "execute", code: "1", command: "ls", args: [], timeout: 5, env: {}, context: "c" };
    const fields = Object.keys({ ...sample, language: "", workdir: "" });
    const bodies = fields.flatMap((field) => values.map((value) => ({ ...sample, [field]: value })));
    for (const body of [sample, {}, ...bodies]) {
      const checked = schema.safeParse(body);
      let parsed: unknown = "refused";
      try {
        parsed = parse(body);
      } catch (error) {
        if (!(error instanceof BulkheadError)) throw error;
        expect(error.status).toBe(400);
      }
      expect(parsed, JSON.stringify(body).slice(0, 200)).toEqual(checked.success ? checked.data : "refused");
    }
  });

  it("have a minute unless they say otherwise", () => {
    expect(parseStreamExecute({ code: "" }).timeout).toBe(60);
  });
});

type Step = readonly ["stdout" | "stderr", Uint8Array | string] | "pause";

/** What becomes of chunks; at a "pause" held lines are held no longer. */
async function outputOf(steps: readonly Step[], behindAt = Infinity) {
  const frames: (readonly [string, string])[] = [];
  let due: (() => void) | undefined;
  const output = makeOutputFrames(
    {
      send(frame) {
        const { type, data } = frame as { readonly type: string; readonly data: string };
        frames.push([type, data]);
        return frames.length >= behindAt ? Promise.resolve() : undefined;
      },
    },
    {
      now: clock.now,
      after(_, callback) {
        expect(due).toBe(undefined);
        due = callback;
        return () => (due = undefined);
      },
    },
  );
  const waits: unknown[] = [];
  for (const step of steps) {
    if (step !== "pause") {
      waits.push(output.onOutput(step[0], Buffer.from(step[1])));
      continue;
    }
    due?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  output.end();
  expect(due).toBe(undefined);
  return { frames, waits };
}

describe("output", () => {
  it("goes out line by line, and what is no whole line a moment later", async () => {
    const { frames } = await outputOf([
      ["stdout", "a\n\nb\nhalf"],
      "pause",
      ["stdout", " done\nwhole"],
      ["stdout", " line\r\n"],
      ["stdout", "before"],
      ["stderr", "after"],
      ["stderr", " it"],
    ]);
    expect(frames).toEqual([
      ["stdout", "a\n"],
      ["stdout", "\n"],
      ["stdout", "b\n"],
      ["stdout", "half"],
      ["stdout", " done\n"],
      ["stdout", "whole line\r\n"],
      ["stdout", "before"],
      ["stderr", "after it"],
    ]);
  });

  it("never splits a character, and shows bytes that are none", async () => {
    const euro = Buffer.from("€");
    const { frames } = await outputOf([
      ["stdout", euro.subarray(0, 1)],
      ["stderr", "between"],
      ["stdout", euro.subarray(1)],
      ["stdout", Buffer.from([0xe2, 0x82])],
    ]);
    expect(frames).toEqual([
      ["stderr", "between"],
      ["stdout", "€"],
      ["stdout", "\ufffd"],
    ]);
  });

  it("holds no long line", async () => {
    const long = "x".repeat(5_000);
    const { frames } = await outputOf([
      ["stdout", `1\n${long}`],
      ["stdout", "y\n"],
    ]);
    expect(frames).toEqual([
      ["stdout", "1\n"],
      ["stdout", long],
      ["stdout", "y\n"],
    ]);
  });

  it("goes out many lines at a time when there are more than a client takes in singly", async () => {
    const chunk = "line\n".repeat(9_000);
    const chunks: Step[] = [
      ["stdout", chunk],
      ["stdout", chunk],
      ["stdout", chunk],
      ["stdout", "few\n"],
    ];
    const { frames } = await outputOf(chunks);
    expect(frames.length).toBe(18_000 + 1 + 1);
    expect(frames.at(-2)).toEqual(["stdout", chunk]);
    expect(frames.map(([, data]) => data).join("")).toBe(`${chunk.repeat(3)}few\n`);
  });

  it("gathers lines that come one by one when they are too many", async () => {
    const lines = Array.from({ length: 30_000 }, (_, index) => `${index}\n`);
    const { frames } = await outputOf(lines.map((line): Step => ["stdout", line]));
    expect(frames.length).toBeLessThan(20_010);
    expect(frames.map(([, data]) => data).join("")).toBe(lines.join(""));
    const late: Step[] = ["pause", ["stdout", "a"], "pause", ["stderr", "b\n"]];
    const paused = await outputOf([...lines.map((line): Step => ["stdout", line]), ...late]);
    expect(paused.frames.slice(-2).map(([, data]) => data)).toEqual(["a", "b\n"]);
  });

  it("sends the rest of a chunk as one when the client falls behind, and waits", async () => {
    const { frames, waits } = await outputOf([["stdout", "1\n2\n3\n4\n"]], 2);
    expect(frames).toEqual([
      ["stdout", "1\n"],
      ["stdout", "2\n"],
      ["stdout", "3\n4\n"],
    ]);
    expect(waits[0]).toBeInstanceOf(Promise);
  });
});

const result: RichResult = {
  ...{ stdout: "", stderr: "", exitCode: 0, timedOut: false, durationMs: 1_234.5, pid: 7, report: undefined },
};

describe("the result", () => {
  it("says how the run ended, with rich output", () => {
    const { frame } = resultFrame({ ...result, rich: { png: "iVBO", json: { a: 1 } } }, clock, Infinity);
    const expected = { type: "result", success: true, exit_code: 0, execution_time: 1.235, timestamp };
    expect(streamFrameSchema.parse(frame)).toEqual({ ...expected, png: "iVBO", json: { a: 1 } });
    const late = resultFrame({ ...result, exitCode: 124, timedOut: true }, clock, Infinity).frame;
    expect(streamFrameSchema.parse(late)).toMatchObject({ success: false, exit_code: 124, timed_out: true });
  });

  it("leaves out for Python's client what would break its connection", () => {
    const rich = { html: "x".repeat(2_000_000), png: "small", svg: "y".repeat(500_000) };
    const limit = richLimitOf("Python/3.11 websockets/15.0");
    const { frame, dropped } = resultFrame({ ...result, rich }, clock, limit);
    expect(dropped).toEqual(["html"]);
    expect(frame).toMatchObject({ png: "small", svg: rich.svg });
    expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThan(1024 * 1024);
    expect(resultFrame({ ...result, rich }, clock, richLimitOf(undefined)).dropped).toEqual([]);
  });
});

/** A route whose runs the test ends itself. */
function connected(readRun?: ReadRun, logger: Logger = noopLogger) {
  const frames: unknown[] = [];
  const ends: ((result: RichResult | Error) => void)[] = [];
  const signals: AbortSignal[] = [];
  const gone = new AbortController();
  let listener: Parameters<AgentSocket["onFrame"]>[0] = () => {};
  const socket: AgentSocket = {
    send: (frame) => void frames.push(frame),
    onFrame(next) {
      listener = next;
    },
    pause() {},
    resume() {},
    closed: gone.signal,
    close() {},
  };
  const read: ReadRun = () => async (to) => {
    signals.push(to.signal);
    void to.onOutput("stdout", Buffer.from("hello\n"));
    return new Promise((resolve, reject) => {
      ends.push((end) => (end instanceof Error ? reject(end) : resolve(end)));
    });
  };
  let executions = 0;
  const lifecycle = {
    execution<T>(work: () => Promise<T>) {
      executions += 1;
      return work();
    },
  };
  const route = runRoute("/stream", { lifecycle, clock, logger }, readRun ?? read);
  const req = new IncomingMessage(new Socket());
  route.open({ req, id: "req_1", path: "/stream", query: new URLSearchParams(), accept: () => socket });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    ...{ frames, signals, gone, executions: () => executions },
    async say(frame: Fields) {
      listener(frame);
      await settle();
    },
    async end(how: RichResult | Error = result) {
      ends.shift()?.(how);
      await settle();
    },
    types: () => frames.map((frame) => (frame as { readonly type: string }).type),
  };
}

describe("a stream", () => {
  it("tells output, result and completion of one run after the other", async () => {
    const stream = connected();
    for (let runs = 1; runs <= 2; runs += 1) {
      await stream.say({});
      expect(stream.executions()).toBe(runs);
      await stream.end({ ...result, exitCode: runs - 1 });
    }
    expect(stream.types()).toEqual(["stdout", "result", "complete", "stdout", "result", "complete"]);
    for (const frame of stream.frames) streamFrameSchema.parse(frame);
    expect(stream.frames[2]).toEqual({ type: "complete", success: true, timestamp });
    expect(stream.frames[5]).toEqual({ type: "complete", success: false, timestamp });
  });

  it("refuses a second run while one goes on, which goes on", async () => {
    const stream = connected();
    await stream.say({});
    await stream.say({});
    expect(stream.frames.at(-1)).toMatchObject({ type: "error", code: "CONFLICT" });
    await stream.end();
    expect(stream.types()).toEqual(["stdout", "error", "result", "complete"]);
  });

  it("answers a frame that cannot be run with a typed error and completion", async () => {
    const stream = connected((fields) => {
      parseStreamExecute(fields);
      return () => Promise.resolve(result);
    });
    await stream.say({ type: "execute" });
    expect(stream.frames).toEqual([
      expect.objectContaining({ type: "error", code: "MISSING_PARAMETER", error: "code is required.", timestamp }),
      { type: "complete", success: false, timestamp },
    ]);
    expect(streamFrameSchema.safeParse(stream.frames[0]).success).toBe(true);
    expect(stream.executions()).toBe(0);
  });

  it("logs mistakes of ours and tells no more than that there was one", async () => {
    const logged: string[] = [];
    const stream = connected(undefined, { ...noopLogger, error: (message) => void logged.push(message) });
    await stream.say({});
    await stream.end(new Error("s3cret"));
    expect(stream.frames[1]).toMatchObject({ type: "error", code: "INTERNAL_ERROR" });
    expect(JSON.stringify(stream.frames)).not.toContain("s3cret");
    expect(logged).toEqual(["stream failed"]);
  });

  it("ends the run of a caller who goes away", async () => {
    const stream = connected();
    await stream.say({});
    stream.gone.abort();
    expect(stream.signals.map(({ aborted }) => aborted)).toEqual([true]);
  });
});
