import { spawnSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { execPath as node } from "node:process";
import { describe, expect, it } from "vitest";
import { reportCrash } from "#telemetry/crash.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";

const canary = "Canary-0123456789";

function processOf(options: { readonly rejections?: "log" | "crash" } = {}) {
  const values = makeSecretValues();
  values.remember({ id: "s1", projectId: "p1" }, { TOKEN: canary });
  const lines: string[] = [];
  const exits: number[] = [];
  const target = new EventEmitter();
  const hide = (text: string) => values.hide(text);
  const logger = makeJsonLogger({ level: "error", write: (line) => lines.push(line), now: () => 0, hide });
  reportCrash(logger, { ...options, target, exit: (code) => exits.push(code) });
  return { target, lines, exits, logger };
}

describe("the last words of a process", () => {
  it("are one line of JSON without values of secrets, and it ends with 1", () => {
    const { target, lines, exits } = processOf();
    target.emit("uncaughtException", new Error(`no ${canary}`, { cause: new TypeError(canary.toLowerCase()) }));
    expect(exits).toEqual([1]);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      message: "uncaught exception",
      error: { message: "no [secret TOKEN]", cause: { message: "[secret TOKEN]" } },
    });
    expect(lines.join().toLowerCase()).not.toContain(canary.toLowerCase());
  });

  it("come before any other listener, and of whatever was thrown", () => {
    const { target, lines, exits } = processOf();
    for (const thrown of [canary, null, { canary }, 7]) target.emit("unhandledRejection", thrown);
    expect(exits).toEqual([1, 1, 1, 1]);
    expect(lines.join()).not.toContain("Canary");
  });

  it("are not said where a rejection is only logged", () => {
    const { target, lines, exits } = processOf({ rejections: "log" });
    target.emit("unhandledRejection", new Error(canary));
    expect(exits).toEqual([]);
    expect(lines.join()).toContain("[secret TOKEN]");
  });

  it("are said once, whoever asks for it again", () => {
    const { target, lines, logger } = processOf();
    reportCrash(logger, { target });
    target.emit("uncaughtException", new Error("x"));
    expect(lines).toHaveLength(1);
  });

  it("do not keep it alive when they cannot be written", () => {
    const exits: number[] = [];
    const target = new EventEmitter();
    const full = () => {
      throw new Error("disk full");
    };
    const logger = makeJsonLogger({ level: "error", write: full, now: () => 0 });
    reportCrash(logger, { target, exit: (code) => exits.push(code) });
    expect(() => target.emit("uncaughtException", new Error("x"))).toThrow("disk full");
    expect(exits).toEqual([1]);
  });
});

describe("a real process", () => {
  const program = `
    import { reportCrash } from "#telemetry/crash.ts";
    import { makeJsonLogger } from "#telemetry/json-logger.ts";
    import { makeSecretValues } from "#telemetry/secret-values.ts";
    const values = makeSecretValues();
    const canary = process.argv[1];
    values.remember({ id: "s1", projectId: "p1" }, { TOKEN: canary });
    const hide = (text) => values.hide(text);
    const write = (line) => process.stderr.write(line + "\\n");
    reportCrash(makeJsonLogger({ level: "error", write, now: Date.now, hide }));
    globalThis[canary] = 1;
    if (process.argv[2] === "rejects") void Promise.reject(new RangeError(canary));
    else setTimeout(() => { throw new SyntaxError("unexpected " + canary); });
  `;

  it.each(["throws", "rejects"])("that %s writes its one line and nothing else", (how) => {
    const args = ["--import", "tsx", "--input-type=module", "-e", program, canary, how];
    const { status, stdout, stderr } = spawnSync(node, args, { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stdout + stderr).not.toContain("Canary");
    expect(JSON.parse(stderr)).toMatchObject({
      level: "error",
      error: { message: expect.stringContaining("[secret TOKEN]") as unknown },
    });
  });
});
