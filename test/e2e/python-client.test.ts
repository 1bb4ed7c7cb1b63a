import { resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { pythonWithClient, runPython } from "./support/python.ts";

let platform: RunningPlatform;
let python: string;

beforeAll(async () => {
  python = await pythonWithClient();
  platform = await startPlatform();
  return async () => {
    await platform.stop();
  };
});

describe("the published Python client", () => {
  it.each([
    ["sync", "sync_client.py"],
    ["async", "async_client.py"],
  ])("keeps every promise through its %s form", async (_, script) => {
    const stdout = await runPython(python, resolve(import.meta.dirname, "python", script), {
      BULKHEAD_URL: platform.url,
      HOPX_API_KEY: platform.apiKey,
    });
    expect(stdout.trim().split("\n").at(-1)).toBe("all promises kept");
  });
});
