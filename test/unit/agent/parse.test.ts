import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { parseAsync, parseBackground, parseBackgroundCommand } from "#agent/background/parse.ts";
import { readSettings } from "#agent/environment.ts";
import { fieldsOf } from "#agent/fields.ts";
import { parseActivate, parseCommand, parseEnvSet, parseExecute } from "#agent/parse.ts";
import { parseFileWrite, parseMkdir } from "#agent/parse-files.ts";
import { parseCell } from "#agent/streams/parse.ts";
import {
  asyncRequestSchema,
  backgroundCommandRequestSchema,
  backgroundRequestSchema,
} from "#contracts/agent/background.ts";
import { commandRequestSchema } from "#contracts/agent/commands.ts";
import { envSetRequestSchema } from "#contracts/agent/env.ts";
import { executeRequestSchema } from "#contracts/agent/exec.ts";
import { fileWriteRequestSchema, mkdirRequestSchema } from "#contracts/agent/files.ts";
import { ipythonRequestSchema } from "#contracts/agent/ipython.ts";
import { activateRequestSchema, agentEnvSchema } from "#contracts/agent-control.ts";
import { BulkheadError } from "#contracts/errors.ts";

/** Values that each field of a body takes in turn. */
const values: readonly unknown[] = [
  undefined,
  null,
  "",
  "x",
  "a\0b",
  "x".repeat(4097),
  "base64",
  "0755",
  "0o644",
  "999",
  0,
  -1,
  2.5,
  7,
  300_000,
  8888,
  true,
  false,
  [],
  ["a", "b"],
  ["a", 1],
  {},
  { A: "1", _b2: "ü" },
  { "1A": "x" },
  { A: 1 },
  { A: "a\0" },
  { "X-Ä": "x" },
  { "X-A": "a\r\nX-B: c" },
  Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`X${index}`, ""])),
  { A: "x".repeat(131_069) },
  { A: "x".repeat(131_070) },
  { A: "x".repeat(100_000), B: "x".repeat(100_000), C: "x".repeat(100_000) },
  { type: "Buffer", data: [1, 255] },
  { type: "Buffer", data: [1, 256] },
];

function* bodies(sample: Readonly<Record<string, unknown>>): Generator {
  yield* [sample, {}, null, [], "text", 5];
  for (const field of Object.keys(sample)) {
    for (const value of values) yield { ...sample, [field]: value };
  }
}

interface Case {
  readonly name: string;
  readonly schema: z.ZodType;
  readonly parse: (body: unknown) => unknown;
  readonly sample: Readonly<Record<string, unknown>>;
}

const lease = { timeout_at: 5, lifetime_at: 9, idle_ms: 3 };
const cases: readonly Case[] = [
  {
    name: "/execute",
    schema: executeRequestSchema,
    parse: parseExecute,
    sample: { code: "1", language: "python", timeout: 5, workdir: "/tmp", env: { A: "b" } },
  },
  {
    name: "/commands/run",
    schema: commandRequestSchema,
    parse: parseCommand,
    sample: { command: "ls", args: ["-l"], timeout: 5, workdir: "/tmp", env: {} },
  },
  {
    name: "/env",
    schema: envSetRequestSchema,
    parse: parseEnvSet,
    sample: { env_vars: { A: "b" }, merge: true, timestamp: "t" },
  },
  {
    name: "/_bulkhead/activate",
    schema: activateRequestSchema,
    parse: parseActivate,
    sample: {
      sandbox_id: "s",
      env: {},
      secret_names: ["A"],
      lease,
      internet_access: true,
      resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
      decoy: { path: "/run/secrets/x", content: "c" },
    },
  },
  {
    name: "/files/write",
    schema: fileWriteRequestSchema,
    parse: parseFileWrite,
    sample: { path: "/tmp/a", content: "x", mode: "0644", overwrite: true, encoding: "utf8" },
  },
  {
    name: "/execute/background",
    schema: backgroundRequestSchema,
    parse: parseBackground,
    sample: { code: "1", language: "python", timeout: 5, workdir: "/tmp", env: { A: "b" }, name: "n" },
  },
  {
    name: "/commands/background",
    schema: backgroundCommandRequestSchema,
    parse: parseBackgroundCommand,
    sample: { command: "ls", args: ["-l"], timeout: 5, workdir: "/tmp", env: {}, name: "n" },
  },
  {
    name: "/execute/async",
    schema: asyncRequestSchema,
    parse: parseAsync,
    sample: {
      ...{ code: "1", language: "python", timeout: 5, workdir: "/tmp", env: {}, callback_url: "https://a.example/" },
      ...{ callback_headers: { "X-A": "b" }, callback_signature_secret: "s" },
    },
  },
  {
    name: "/execute/ipython",
    schema: ipythonRequestSchema,
    parse: (body) => parseCell(fieldsOf(body, "body")),
    sample: { code: "1", context: "c", timeout: 5, env: { A: "b" } },
  },
  { name: "/files/mkdir", schema: mkdirRequestSchema, parse: parseMkdir, sample: { path: "/tmp/a", mode: "0755" } },
];

function outcome(parse: () => unknown): unknown {
  try {
    return { value: parse() };
  } catch (error) {
    if (!(error instanceof BulkheadError)) throw error;
    expect(error.status).toBe(400);
    return "refused";
  }
}

describe("bodies parsed by hand", () => {
  it.each(cases)("$name agrees with its schema", ({ schema, parse, sample }) => {
    for (const body of bodies(sample)) {
      const bySchema = schema.safeParse(body);
      const expected = bySchema.success ? { value: bySchema.data } : "refused";
      const shown = JSON.stringify(body).slice(0, 200);
      expect(
        outcome(() => parse(body)),
        shown,
      ).toEqual(expected);
    }
  });

  it("names the field that is missing", () => {
    expect(() => parseExecute({})).toThrow(expect.objectContaining({ code: "MISSING_PARAMETER" }));
  });

  it("never repeats a variable's value", () => {
    expect(() => parseEnvSet({ env_vars: { "bad-name": "hunter2" } })).toThrow(/^(?!.*hunter2).*bad-name/);
  });

  it("refuses a body of env variables under a special name without polluting the prototype", () => {
    parseEnvSet(JSON.parse('{"env_vars":{"__proto__":"x"}}'));
    expect(Object.prototype).not.toHaveProperty("x");
  });
});

describe("settings", () => {
  it("have the schema's defaults", () => {
    const { roots, features, base, ...settings } = readSettings({
      BULKHEAD_INSTANCE_ID: "i",
      BULKHEAD_TEMPLATE: "base",
      PATH: "/bin",
    });
    const parsed = agentEnvSchema.parse({ BULKHEAD_INSTANCE_ID: "i", BULKHEAD_TEMPLATE: "base" });
    const { BULKHEAD_ROOTS, BULKHEAD_FEATURES, ...others } = parsed;
    expect(settings).toEqual(others);
    expect([roots, features]).toEqual([JSON.parse(BULKHEAD_ROOTS), JSON.parse(BULKHEAD_FEATURES)]);
    expect(base).toEqual({ PATH: "/bin" });
  });

  it("say which variable is wrong", () => {
    const good = { BULKHEAD_INSTANCE_ID: "i", BULKHEAD_TEMPLATE: "base" };
    expect(() => readSettings({})).toThrow("BULKHEAD_INSTANCE_ID");
    expect(() => readSettings({ ...good, BULKHEAD_USER_UID: "x" })).toThrow("BULKHEAD_USER_UID");
    expect(() => readSettings({ ...good, BULKHEAD_ROOTS: "[1]" })).toThrow("BULKHEAD_ROOTS");
  });
});
