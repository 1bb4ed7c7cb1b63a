import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Sandbox } from "@hopx-ai/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import { makeClient } from "./support/client.ts";
import { control } from "./support/http.ts";
import { anyText } from "./support/matchers.ts";
import { bulkhead, type RunningPlatform, startPlatform } from "./support/platform.ts";

let platform: RunningPlatform;
let client: ReturnType<typeof makeClient>;
let sandbox: Sandbox;

beforeAll(async () => {
  platform = await startPlatform();
  client = makeClient(platform);
  sandbox = await client.create({ envVars: { API_SECRET: "s3cret-value" } });
  return async () => {
    await platform.stop();
  };
});

describe("the published JavaScript client", () => {
  it("finds a healthy platform and its templates", async () => {
    expect((await Sandbox.healthCheck(platform.url)).status).toBe("healthy");
    const templates = await Sandbox.listTemplates(client.connection);
    expect(templates.map(({ name }) => name)).toContain("base");
    expect((await Sandbox.getTemplate("base", client.connection)).name).toBe("base");
  });

  it("sees its sandbox run, with what enforces its limits", async () => {
    const info = await sandbox.getInfo();
    expect(info).toMatchObject({ sandboxId: sandbox.sandboxId, status: "running", templateName: "base" });
    expect(info.publicHost).toMatch(/^http:\/\/127\.0\.0\.1:/);
    expect(info.resources?.memoryMb).toBeGreaterThan(0);
    expect(await sandbox.isHealthy()).toBe(true);
    const { body } = await control(platform, "GET", `/v1/sandboxes/${sandbox.sandboxId}`);
    expect(body).toMatchObject({ enforced: { network: anyText, identity: anyText } });
  });

  it.each([
    ["python", "print(6 * 7)"],
    ["javascript", "console.log(6 * 7)"],
    ["typescript", "const n: number = 6 * 7; console.log(n)"],
    ["bash", "echo $((6 * 7))"],
    ["go", 'package main\nimport "fmt"\nfunc main() { fmt.Println(6 * 7) }'],
  ])("runs %s", async (language, code) => {
    const result = await sandbox.runCode(code, { language, timeout: 60 });
    expect(result).toMatchObject({ success: true, exit_code: 0 });
    expect(result.stdout.trim()).toBe("42");
  });

  it("reports a failing program with its exit code and its words, not as an HTTP error", async () => {
    const result = await sandbox.runCode("import sys; print('half'); sys.exit('no more')", { language: "python" });
    expect(result).toMatchObject({ success: false, exit_code: 1 });
    expect(result.stdout).toContain("half");
    expect(result.stderr).toContain("no more");
  });

  it("gives the environment of create to code and to commands, and lets it be changed", async () => {
    expect((await sandbox.runCode("import os; print(os.environ['API_SECRET'])")).stdout.trim()).toBe("s3cret-value");
    expect((await sandbox.commands.run("echo $API_SECRET")).stdout.trim()).toBe("s3cret-value");
    await sandbox.env.set("ADDED", "later");
    expect(await sandbox.env.getAll()).toMatchObject({ API_SECRET: "s3cret-value", ADDED: "later" });
    await sandbox.env.delete("ADDED");
    expect(await sandbox.env.get("ADDED")).toBeUndefined();
    const once = await sandbox.runCode("import os; print(os.environ['ONCE'])", { env: { ONCE: "only here" } });
    expect(once.stdout.trim()).toBe("only here");
  });

  it("writes, reads, lists and removes files, text and binary", async () => {
    await sandbox.files.write("/workspace/deep/er/note.txt", "héllo\n");
    expect(await sandbox.files.read("/workspace/deep/er/note.txt")).toBe("héllo\n");
    const bytes = randomBytes(3_000_000);
    await sandbox.files.writeBytes("/workspace/blob.bin", bytes);
    expect((await sandbox.files.readBytes("/workspace/blob.bin")).equals(bytes)).toBe(true);
    const listed = await sandbox.files.list("/workspace");
    expect(listed.map(({ name }) => name)).toEqual(expect.arrayContaining(["deep", "blob.bin"]));
    await sandbox.files.mkdir("/workspace/made/here");
    expect(await sandbox.files.exists("/workspace/made/here")).toBe(true);
    await sandbox.files.remove("/workspace/deep");
    expect(await sandbox.files.exists("/workspace/deep/er/note.txt")).toBe(false);
  });

  it("uploads and downloads a local file", async () => {
    const directory = await mkdtemp(join(tmpdir(), "bulkhead-upload-"));
    try {
      const bytes = randomBytes(500_000);
      await writeFile(join(directory, "up.bin"), bytes);
      await sandbox.files.upload(join(directory, "up.bin"), "/workspace/up.bin");
      expect((await sandbox.files.download("/workspace/up.bin")).equals(bytes)).toBe(true);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("keeps one sandbox's files, processes and secrets from another", async () => {
    const other = await client.create();
    try {
      await sandbox.files.write("/workspace/mine.txt", "private");
      expect(await other.files.exists("/workspace/mine.txt")).toBe(false);
      expect((await other.commands.run("env")).stdout).not.toContain("s3cret-value");
      expect(
        (await other.commands.run("cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' ' '")).stdout,
      ).not.toContain("s3cret");
    } finally {
      await other.kill();
    }
  });

  it("lists and iterates over sandboxes, and connects to one again", async () => {
    const ids = (await client.list()).map(({ sandboxId }) => sandboxId);
    expect(ids).toContain(sandbox.sandboxId);
    const iterated: string[] = [];
    for await (const found of Sandbox.iter(client.connection)) iterated.push(found.sandboxId);
    expect(iterated.sort()).toEqual(ids.sort());
    const again = await client.connect(sandbox.sandboxId);
    expect((await again.commands.run("echo back")).stdout.trim()).toBe("back");
  });

  it("sets a timeout and refreshes its token", async () => {
    await sandbox.setTimeout(600);
    const left = await sandbox.getTimeToExpiry();
    expect(left).toBeGreaterThan(500);
    expect(left).toBeLessThanOrEqual(600);
    const before = await sandbox.getToken();
    await sandbox.refreshToken();
    expect(await sandbox.getToken()).not.toBe(before);
    expect((await sandbox.commands.run("echo still")).stdout.trim()).toBe("still");
  });

  it("is told 410 with the true reason after the end", async () => {
    const short = await client.create();
    await short.kill();
    await expect(short.getInfo()).rejects.toMatchObject({ name: "SandboxExpiredError" });
    const { status, body } = await control(platform, "GET", `/v1/sandboxes/${short.sandboxId}`);
    expect(status).toBe(410);
    expect(body).toMatchObject({ code: "SANDBOX_EXPIRED", details: { end_reason: "killed" } });
    await expect(short.commands.run("true")).rejects.toThrow();
  });
});

describe("the command line beside it", () => {
  const flags = (): string[] => ["--url", platform.url, "--api-key", platform.apiKey];

  it("lists and kills sandboxes", async () => {
    const one = await client.create();
    const listed = await bulkhead(["ls", "--json", ...flags()]);
    expect(listed.stdout).toContain(one.sandboxId);
    expect((await bulkhead(["ls", ...flags()])).stdout).toMatch(/^ID\s+STATUS/);
    expect(await bulkhead(["kill", one.sandboxId, ...flags()])).toMatchObject({ code: 0 });
    expect(await bulkhead(["kill", "1763382095abcdefghij", ...flags()])).toMatchObject({ code: 4 });
  });

  it("makes a key that works and revokes it", async () => {
    const made = await bulkhead(["keys", "create", "e2e", "--expires", "1d", ...flags()]);
    expect(made).toMatchObject({ code: 0 });
    const key = made.stdout.trim();
    expect(key).toMatch(/^hopx_live_/);
    expect(await bulkhead(["ls", "--url", platform.url, "--api-key", key])).toMatchObject({ code: 0 });
    const id = /hopx_live_([A-Za-z0-9]{12})\./.exec(key)?.[1] ?? "";
    expect((await bulkhead(["keys", "list", ...flags()])).stdout).toContain("e2e");
    expect(await bulkhead(["keys", "revoke", id, ...flags()])).toMatchObject({ code: 0 });
    expect(await bulkhead(["ls", "--url", platform.url, "--api-key", "nonsense"])).toMatchObject({ code: 3 });
  });
});
