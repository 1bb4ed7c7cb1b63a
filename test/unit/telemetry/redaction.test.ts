import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { redact, redacted, redactText } from "#telemetry/redact.ts";

const secret = "s3cr3t-value-0123456789";
const apiKey = `hopx_live_abcdefABCDEF.${"x".repeat(43)}`;
const jwt = `eyJhbGciOiJFUzI1NiJ9.${"a".repeat(30)}.${"b".repeat(40)}`;

function logged(fields: Record<string, unknown>, message = "m"): string {
  const lines: string[] = [];
  makeJsonLogger({ level: "debug", write: (line) => lines.push(line), now: () => 0 }).info(message, fields);
  return lines.join("\n");
}

describe("redaction in the logger", () => {
  it.each([
    "authorization",
    "Authorization",
    "X-API-Key",
    "auth_token",
    "env_vars",
    "password",
    "apiKey",
    "Set-Cookie",
  ])("blanks the value of %s at any depth", (key) => {
    expect(logged({ a: { b: [{ [key]: secret }] } })).not.toContain(secret);
    expect(logged({ [key]: { nested: secret } })).not.toContain(secret);
  });

  it.each([
    ["an API key", apiKey, "x".repeat(43)],
    ["a JWT", jwt, "b".repeat(40)],
    ["a bearer header", "Bearer abcdefghijklmnop", "abcdefghijklmnop"],
    ["a password in an address", "https://user:hunter22@host/", "hunter22"],
    ["a token in a query", "/p/x/80/?bulkhead_token=abcdef123456&x=1", "abcdef123456"],
    ["an AWS access key", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"],
  ])("blanks %s inside a text, a message and an error", (_name, text, hidden) => {
    expect(redactText(`before ${text} after`)).not.toContain(hidden);
    expect(logged({ note: text }, text)).not.toContain(hidden);
    expect(logged({ error: new Error(text, { cause: new Error(text) }) })).not.toContain(hidden);
  });

  it("keeps the public part of an API key, so that a log line says which key it was", () => {
    expect(redactText(apiKey)).toBe(`hopx_live_abcdefABCDEF.${redacted}`);
  });

  it("leaves plain facts as they are and never changes its input", () => {
    const fields = { sandbox: "1763382095abcdefghij", n: 3, list: [1, "two"], none: null };
    const copy = structuredClone(fields);
    expect(redact(fields)).toEqual(fields);
    expect(fields).toEqual(copy);
  });

  it("survives cycles and any value at all", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    expect(() => logged(cycle)).not.toThrow();
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(logged({ value })).toContain("1970");
      }),
    );
  });
});

describe("known values", () => {
  const value = "known-value-0123";
  const hide = (text: string) => text.replaceAll(value, "[secret N]");

  it("are hidden in messages, fields, names of fields and errors, before anything is cut", () => {
    const lines: string[] = [];
    const logger = makeJsonLogger({ level: "debug", write: (line) => lines.push(line), now: () => 0, hide });
    logger.child({ bound: value }).warn(`m ${value}`, {
      [value]: 1,
      deep: [{ text: `${"x".repeat(4090)}${value}` }],
      error: new Error(value, { cause: { why: value } }),
    });
    expect(lines.join()).not.toContain(value.slice(0, 7));
    expect(lines.join()).toContain("m [secret N]");
  });

  it("do not take out what the platform itself has named: nobody hides behind a secret", () => {
    const known = { sandbox: value, sandboxId: value, instance_id: value, projectId: value, keyId: value };
    expect(redact(known, hide)).toEqual(known);
    expect(redact({ requestId: value }, hide)).toEqual({ requestId: "[secret N]" });
  });
});

describe("the JSON logger", () => {
  it("writes nothing below its level and binds a child's fields", () => {
    const lines: string[] = [];
    const logger = makeJsonLogger({ level: "warn", write: (line) => lines.push(line), now: () => 0 });
    logger.info("quiet");
    logger.child({ sandbox: "a" }).warn("loud", { n: 1 });
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
      { time: "1970-01-01T00:00:00.000Z", level: "warn", message: "loud", sandbox: "a", n: 1 },
    ]);
  });
});
