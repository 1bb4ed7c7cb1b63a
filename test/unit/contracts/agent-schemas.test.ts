import { describe, expect, it } from "vitest";
import { commandRequestSchema } from "#contracts/agent/commands.ts";
import { envSetRequestSchema, envVarsSchema, maxEnvBytes } from "#contracts/agent/env.ts";
import { executeRequestSchema, executeResponseSchema, languageOf } from "#contracts/agent/exec.ts";
import {
  fileListQuerySchema,
  filePathQuerySchema,
  fileWriteRequestSchema,
  mkdirRequestSchema,
} from "#contracts/agent/files.ts";
import { healthResponseSchema } from "#contracts/agent/info.ts";

describe("execute and commands", () => {
  it("fill in what the contract says", () => {
    expect(executeRequestSchema.parse({ code: "1" })).toEqual({
      code: "1",
      language: "python",
      timeout: 120,
      workdir: "/workspace",
      env: {},
    });
    expect(commandRequestSchema.parse({ command: "ls", env: null, args: null })).toEqual({
      command: "ls",
      args: [],
      timeout: 30,
      workdir: "/workspace",
      env: {},
    });
  });

  it.each([
    [0, 120],
    [null, 120],
    [0.5, 0.5],
    [300, 300],
    [60_000, 300],
  ])("timeout %j means %j seconds: clamped, never refused", (timeout, seconds) => {
    expect(executeRequestSchema.parse({ code: "", timeout }).timeout).toBe(seconds);
  });

  it.each([{}, { code: 1 }, { code: "", timeout: -1 }, { code: "", timeout: "5" }, { code: "", env: { "1A": "" } }])(
    "refuse %j",
    (body) => {
      expect(executeRequestSchema.safeParse(body).success).toBe(false);
    },
  );

  it("know every spelling of a language that clients send", () => {
    const spellings = [
      "python",
      "python3",
      "node",
      "nodejs",
      "javascript",
      "js",
      "typescript",
      "bash",
      "sh",
      "shell",
      "go",
    ];
    expect(spellings.map(languageOf)).not.toContain(undefined);
    expect(languageOf("Python")).toBe("python");
    expect(["cobol", "constructor", "__proto__"].map(languageOf)).toEqual([undefined, undefined, undefined]);
  });

  it("answer without rich output has no rich fields", () => {
    const answer = {
      success: true,
      stdout: "",
      stderr: "",
      exit_code: 0,
      execution_time: 0,
      language: "go",
      timestamp: "",
    };
    expect(executeResponseSchema.parse(answer)).toEqual(answer);
  });
});

describe("environment", () => {
  it("takes names of the shell and any text without NUL", () => {
    const vars = { A: "", _b1: "ünï\n=" };
    expect(envVarsSchema.parse(vars)).toEqual(vars);
    expect(envSetRequestSchema.parse({ env_vars: vars, merge: true })).toEqual({ env_vars: vars, merge: true });
  });

  it.each([{ "": "x" }, { "A B": "x" }, { "1": "x" }, { A: "\0" }, { A: null }, { A: 1 }])("refuses %j", (vars) => {
    const parsed = envVarsSchema.safeParse(vars);
    expect(parsed.error?.issues[0]?.path).toEqual(Object.keys(vars));
  });

  it("counts bytes of names and values, not characters", () => {
    const half = maxEnvBytes / 2 - 4;
    expect(envVarsSchema.safeParse({ A: "x".repeat(half), B: "x".repeat(half) }).success).toBe(true);
    expect(envVarsSchema.safeParse({ A: "ü".repeat(half / 2), B: "ü".repeat(half / 2), C: "ü" }).success).toBe(true);
    expect(envVarsSchema.safeParse({ A: "x".repeat(half), B: "x".repeat(half), C: "x".repeat(6) }).success).toBe(false);
    expect(envVarsSchema.safeParse({ A: "ü".repeat(half / 2 + 2) }).success).toBe(false);
  });
});

describe("files", () => {
  it("a write has its defaults, in text, base64 or the JSON of a Node Buffer", () => {
    expect(fileWriteRequestSchema.parse({ path: "/a", content: "" })).toEqual({
      path: "/a",
      content: "",
      mode: "0644",
      overwrite: true,
    });
    const buffer: unknown = JSON.parse(JSON.stringify(Buffer.from([0, 255])));
    expect(fileWriteRequestSchema.parse({ path: "/a", content: buffer }).content).toEqual({
      type: "Buffer",
      data: [0, 255],
    });
    expect(fileWriteRequestSchema.parse({ path: "/a", content: "", encoding: "base64" }).encoding).toBe("base64");
  });

  it.each([
    ["0755", "0755"],
    ["0o600", "600"],
    [null, "0644"],
  ])("mode %j is octal %s", (mode, octal) => {
    expect(mkdirRequestSchema.parse({ path: "/a", mode }).mode).toBe(octal);
  });

  it.each(["0999", "rwx", 644, "7", ""])("mode %j is refused", (mode) => {
    expect(mkdirRequestSchema.safeParse({ path: "/a", mode }).success).toBe(false);
  });

  it.each(["", "a\0b", "x".repeat(4097), undefined])("path %j is refused", (path) => {
    expect(filePathQuerySchema.safeParse({ path }).success).toBe(false);
  });

  it("list looks at the workspace by default", () => {
    expect(fileListQuerySchema.parse({})).toEqual({ path: "/workspace" });
  });
});

it("health is the word that Python waits for", () => {
  expect(healthResponseSchema.shape.status.safeParse("ok").success).toBe(false);
  expect(healthResponseSchema.shape.status.safeParse("healthy").success).toBe(true);
});
