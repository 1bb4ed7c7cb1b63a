import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { agent, ask, type CreatedSandbox, createRaw } from "./support/http.ts";
import { bulkhead, type RunningPlatform, startPlatform } from "./support/platform.ts";

const directory = mkdtempSync(join(tmpdir(), "bulkhead-audit-"));
let platform: RunningPlatform;
let sandbox: CreatedSandbox;

beforeAll(async () => {
  platform = await startPlatform();
  sandbox = await createRaw(platform);
  return async () => {
    await platform.stop();
    rmSync(directory, { recursive: true, force: true });
  };
});

async function cli(...args: string[]): Promise<{ code: number | null; text: string }> {
  const offline = args[0] === "audit" && args[1] === "verify" && args[2] !== undefined;
  const connection = offline ? [] : ["--url", platform.url, "--api-key", platform.apiKey];
  const { code, stdout, stderr } = await bulkhead([...args, ...connection]);
  return { code, text: stdout + stderr };
}

async function events(query: string): Promise<readonly Record<string, unknown>[]> {
  const answer = await ask(platform.url, `/v1/audit?limit=1000&${query}`, {
    headers: { "x-api-key": platform.apiKey },
  });
  expect(answer.status).toBe(200);
  return (answer.body as { data: Record<string, unknown>[] }).data;
}

describe("the audit record", () => {
  it("has what was done on both planes, and what was refused", async () => {
    await agent(sandbox, "POST", "/execute", { language: "python", code: "print('canary-content')" });
    await agent(sandbox, "GET", "/files/read?path=/etc/shadow");
    await ask(platform.url, `/v1/sandboxes/${sandbox.id}/timeout`, {
      method: "PUT",
      headers: { "x-api-key": platform.apiKey },
      body: "{",
    });
    const found = await events(`target=${sandbox.id}`);
    expect(found.map(({ action, outcome }) => `${String(action)} ${String(outcome)}`)).toEqual([
      "file.read refused",
      "exec.run allowed",
      "sandbox.create allowed",
    ]);
    expect(found[1]).toMatchObject({
      actor: `token:${sandbox.id}`,
      source_ip: "127.0.0.1",
      details: {
        executed: { bytes: 23, language: "python", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      },
    });
    expect(JSON.stringify(found)).not.toContain("canary-content");
    expect((await events("outcome=refused")).map(({ action }) => action)).toContain("request.refuse");
  });

  it("is verified offline, and says which event was changed, removed, inserted or put in another order", async () => {
    const file = join(directory, "audit.jsonl");
    const key = join(directory, "key.pem");
    writeFileSync(key, (await cli("audit", "key")).text);
    expect((await cli("audit", "export", file)).code).toBe(0);
    const verify = (path: string) => cli("audit", "verify", path, "--key", key);
    expect(await verify(file)).toMatchObject({ code: 0, text: expect.stringMatching(/^Intact: \d+ events/) as string });
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const at = lines.findIndex((line) => line.includes('"exec.run"'));
    const { seq } = JSON.parse(lines[at] ?? "") as { seq: number };
    const line = lines[at] ?? "";
    const tampered = {
      changed: lines.with(at, line.replace('"127.0.0.1"', '"192.0.2.1"')),
      removed: lines.toSpliced(at, 1),
      inserted: lines.toSpliced(at, 0, lines[at] ?? ""),
      reordered: lines.with(at, lines[at + 1] ?? "").with(at + 1, line),
    };
    for (const [kind, text] of Object.entries(tampered)) {
      const path = join(directory, `${kind}.jsonl`);
      writeFileSync(path, `${text.join("\n")}\n`);
      const verdict = await verify(path);
      expect(verdict.code).toBe(1);
      expect(verdict.text).toMatch(new RegExp(`^NOT INTACT[^]*\\n +${kind} +record ${seq} `));
    }
    const header = JSON.parse(lines[0] ?? "") as { checkpoints: number };
    const unsigned = join(directory, "unsigned.jsonl");
    const withoutCheckpoints = [JSON.stringify({ ...header, checkpoints: 0 }), ...lines.slice(1 + header.checkpoints)];
    writeFileSync(unsigned, `${withoutCheckpoints.join("\n")}\n`);
    expect(await verify(unsigned)).toMatchObject({
      code: 1,
      text: expect.stringMatching(/no checkpoint of this key/) as string,
    });
    const cut = join(directory, "cut.jsonl");
    writeFileSync(cut, `${lines.slice(0, -2).join("\n")}\n`);
    expect((await verify(cut)).code).toBe(0);
  });

  it("loses nothing that was answered when the platform is killed", async () => {
    const asks = Array.from({ length: 200 }, () => agent(sandbox, "GET", "/files/exists?path=/workspace/a"));
    const answered = (await Promise.all(asks)).filter(({ status }) => status === 200).length;
    const killed = await ask(platform.url, `/v1/sandboxes/${sandbox.id}`, {
      method: "DELETE",
      headers: { "x-api-key": platform.apiKey },
    });
    expect(killed.status).toBe(200);
    await platform.crash();
    const { home, port, gatewayPort } = platform;
    platform = await startPlatform({ home, port, gatewayPort });
    expect(await cli("audit", "verify")).toMatchObject({ code: 0 });
    const found = await events(`target=${sandbox.id}`);
    expect(found.filter(({ action }) => action === "file.look")).toHaveLength(answered);
    expect(found[0]).toMatchObject({ action: "sandbox.kill" });
  });
});
