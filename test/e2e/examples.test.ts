import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { pythonWithClient, runPython } from "./support/python.ts";

const examples = resolve(import.meta.dirname, "../../examples");
let platform: RunningPlatform;
let env: { readonly BULKHEAD_URL: string; readonly HOPX_API_KEY: string };

beforeAll(async () => {
  platform = await startPlatform();
  env = { BULKHEAD_URL: platform.url, HOPX_API_KEY: platform.apiKey };
  return async () => {
    await platform.stop();
  };
});

describe("the quick starts of the README print what they promise", () => {
  it("in JavaScript", async () => {
    const script = resolve(examples, "quickstart.mjs");
    const { stdout } = await promisify(execFile)(process.execPath, [script], { env: { ...process.env, ...env } });
    expect(stdout.trim()).toBe("hello world");
  });

  it("in Python", async () => {
    const stdout = await runPython(await pythonWithClient(), resolve(examples, "quickstart.py"), env);
    expect(stdout.trim()).toBe("hello world");
  });
});
