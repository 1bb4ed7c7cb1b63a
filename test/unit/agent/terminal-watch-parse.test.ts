import { describe, expect, it } from "vitest";
import type { Fields } from "#agent/fields.ts";
import { parseTerminalFrame, parseTerminalQuery } from "#agent/terminal/parse.ts";
import { parseWatchFrame } from "#agent/watch/parse.ts";
import { terminalFrameSchema } from "#contracts/agent/terminal.ts";
import { watchFrameSchema } from "#contracts/agent/watch.ts";

interface Schema {
  safeParse(value: unknown): { success: boolean; data?: unknown };
}

/** What the hand parser makes of it is what the schema makes of it; or both refuse. */
function agree(frame: Fields, parse: (frame: Fields) => unknown, schema: Schema): void {
  const wanted = schema.safeParse(frame);
  if (wanted.success) expect(parse(frame)).toEqual(wanted.data);
  else {
    const code: unknown = expect.stringMatching(/^(INVALID_REQUEST|INVALID_PATH|MISSING_PARAMETER)$/);
    expect(() => parse(frame)).toThrow(expect.objectContaining({ code }));
  }
}

describe("frames of a terminal", () => {
  it.each<Fields>([
    { type: "input", data: "ls\n" },
    { type: "input", data: "" },
    { type: "input" },
    { type: "input", data: 1 },
    { type: "resize", cols: 1, rows: 1000 },
    { type: "resize", cols: 80, rows: 24, more: true },
    { type: "resize", cols: 0, rows: 24 },
    { type: "resize", cols: 1001, rows: 24 },
    { type: "resize", cols: 80.5, rows: 24 },
    { type: "resize", cols: "80", rows: 24 },
    { type: "resize", cols: Number.NaN, rows: 24 },
    { type: "resize", rows: 24 },
    { type: "paste" },
    { type: null },
    {},
  ])("are read as the schema reads them: %j", (frame) => agree(frame, parseTerminalFrame, terminalFrameSchema));
});

describe("the query of a terminal", () => {
  const parse = (query: string) => parseTerminalQuery(new URLSearchParams(query), "/workspace");

  it("may say nothing, or everything", () => {
    expect(parse("")).toEqual({ size: { cols: 80, rows: 24 } });
    expect(parse("cols=120&rows=40&shell=sh&workdir=/tmp")).toEqual({
      ...{ size: { cols: 120, rows: 40 }, shell: "sh", workdir: "/tmp" },
    });
    expect(parse("workdir=sub").workdir).toBe("/workspace/sub");
  });

  it.each(["cols=0", "cols=x", "rows=1e9", "rows=-1", "workdir=%00", `shell=${"x".repeat(5000)}`])(
    "is refused: %s",
    (query) => {
      expect(() => parse(query)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
    },
  );
});

describe("frames of a watch", () => {
  it.each<Fields>([
    { action: "watch", path: "/workspace" },
    { action: "unwatch", path: "sub" },
    { action: "watch", path: "" },
    { action: "watch" },
    { action: "watch", path: 1 },
    { action: "look", path: "/workspace" },
    { path: "/workspace" },
    {},
  ])("are read as the schema reads them: %j", (frame) => agree(frame, parseWatchFrame, watchFrameSchema));

  it("with a path that no system takes are refused", () => {
    for (const path of ["a\0b", "x".repeat(5000)]) {
      expect(() => parseWatchFrame({ action: "watch", path })).toThrow(
        expect.objectContaining({ code: "INVALID_PATH" }),
      );
    }
  });
});
