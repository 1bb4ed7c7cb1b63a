import { randomUUID } from "node:crypto";
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

type Told = Readonly<Record<string, unknown>>;

/** Reads all that is told, from when it is known to be told anything. */
async function watch(path: string) {
  const told: Told[] = [];
  const events = sandbox.watchFiles(path);
  void (async () => {
    for await (const event of events) told.push({ ...event });
  })().catch(() => {});
  await until("the watch to begin", async () => {
    await sandbox.files.write(`${path}/probe`, randomUUID());
    return told.length > 0;
  });
  return {
    told,
    sees: (event: string, name: string) =>
      until(`${event} ${name}`, () => told.some((each) => each.event === event && each.path === `${path}/${name}`)),
  };
}

describe("a watch through the JavaScript client", () => {
  it("tells what the file routes and what programs do, in all directories below", async () => {
    const { told, sees } = await watch("/workspace");
    await sandbox.files.write("/workspace/a.txt", "1");
    await sees("created", "a.txt");
    await sandbox.commands.run("mkdir -p deep/er && echo x > deep/er/b && mv a.txt c.txt && rm -r deep");
    await sees("created", "deep/er/b");
    await sees("renamed", "a.txt");
    await sees("created", "c.txt");
    await sees("deleted", "deep/er/b");
    await sees("deleted", "deep");
    expect(told.every((each) => each.type === "change")).toBe(true);
  });

  it("loses no event of many", async () => {
    await sandbox.commands.run("mkdir many");
    const { told } = await watch("/workspace/many");
    await sandbox.commands.run("seq -f many/f%g 1 2000 | xargs touch");
    const wanted = Array.from({ length: 2000 }, (_, n) => `/workspace/many/f${n + 1}`);
    await until("2000 files", () => {
      const names = new Set(told.flatMap((each) => (each.event === "created" ? [each.path] : [])));
      return wanted.every((path) => names.has(path));
    });
  });

  it("answers what it cannot watch with an error, not with silence", async () => {
    const first = await sandbox.watchFiles("/etc").next();
    expect(first.value).toMatchObject({ type: "error", code: "PATH_NOT_ALLOWED" });
    const second = await sandbox.watchFiles("/workspace/none").next();
    expect(second.value).toMatchObject({ type: "error", code: "DIRECTORY_NOT_FOUND" });
  });
});

describe("a watch through the Python clients", () => {
  it("works in both", async () => {
    const script = join(import.meta.dirname, "python/watch.py");
    const env = { API_KEY: platform.apiKey, BASE_URL: platform.url, SANDBOX_ID: sandbox.sandboxId };
    expect(await runPython(await pythonWithClient(), script, env)).toBe("OK\n");
  });
});
