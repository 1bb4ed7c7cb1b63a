import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { agent, ask, type CreatedSandbox, control, createRaw, run } from "./support/http.ts";
import { bulkhead, freePort, type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

const directory = mkdtempSync(join(tmpdir(), "bulkhead-quarantine-"));
let platform: RunningPlatform;
let sandbox: CreatedSandbox;
/** Requests that a server outside has open. */
let open = 0;
let port = 0;

beforeAll(async () => {
  const server = createServer((request, response) => {
    if (request.url !== "/stream") {
      response.end("hello");
      return;
    }
    open += 1;
    response.write("begin\n");
    const timer = setInterval(() => response.write("more\n"), 100);
    response.once("close", () => {
      open -= 1;
      clearInterval(timer);
    });
  }).listen(await freePort(), "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
  platform = await startPlatform({
    flags: ["--no-code-interpreter", "--pool", "base=0"],
    env: { BULKHEAD_EGRESS_ALLOW: "127.0.0.1", BULKHEAD_EGRESS_HOSTS: "outside.test=127.0.0.1" },
  });
  sandbox = await createRaw(platform);
  return async () => {
    await platform.stop();
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  };
});

async function cli(...args: string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  const offline = args.includes("verify");
  const { code, stdout, stderr } = await bulkhead([
    ...args,
    ...(offline ? [] : ["--url", platform.url, "--api-key", platform.apiKey]),
  ]);
  return { code, text: stdout + stderr };
}

const fetchOutside = () => run(sandbox, `curl -sS -m 5 http://outside.test:${port}/`);

/** By the admin's key: tokens are dead while it is held. */
async function counted(): Promise<string> {
  const { origin, pathname } = new URL(sandbox.public_host);
  const path = `${pathname.replace(/\/$/, "")}/files/read?path=/workspace/count`;
  const { status, body, text } = await ask(origin, path, { headers: { "x-api-key": platform.apiKey } });
  if (status !== 200) throw new Error(`the file was answered ${status}: ${text}`);
  return z.object({ content: z.string() }).parse(body).content;
}

it("holds a sandbox still, lets nothing out, and lets it go on", async () => {
  await run(
    sandbox,
    "setsid bash -c 'n=0; while true; do n=$((n+1)); echo $n >> /workspace/count; sleep 0.02; done' > /dev/null 2>&1 &",
  );
  await run(sandbox, `setsid curl -sSN http://outside.test:${port}/stream > /workspace/stream 2>&1 &`);
  await until("a connection", () => open === 1);
  expect((await fetchOutside()).stdout).toBe("hello");

  const held = await cli("quarantine", sandbox.id, "--reason", "used a decoy key");
  expect(held).toMatchObject({ code: 0 });
  await until("the connection's end", () => open === 0);
  const refused = { status: 409, body: { code: "SANDBOX_QUARANTINED" } };
  expect(await agent(sandbox, "POST", "/commands/run", { command: "true" })).toMatchObject(refused);
  expect(await agent(sandbox, "GET", "/files/read?path=/workspace/count")).toMatchObject(refused);
  const before = await counted();
  await delay(300);
  expect(await counted()).toBe(before);
  expect((await control(platform, "GET", `/v1/sandboxes/${sandbox.id}`)).body).toMatchObject({
    ...{ status: "paused", quarantine: { reason: "used a decoy key" } },
  });
  expect((await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/resume`)).body).toMatchObject({
    code: "SANDBOX_QUARANTINED",
  });
  expect((await cli("quarantine", "ls")).text).toContain(sandbox.id);

  expect(await cli("release", sandbox.id)).toMatchObject({ code: 0, text: `${sandbox.id} running\n` });
  expect((await agent(sandbox, "POST", "/commands/run", { command: "true" })).status).toBe(401);
  const fresh = await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/token/refresh`);
  sandbox = { ...sandbox, ...z.object({ auth_token: z.string() }).parse(fresh.body) };
  await until("more numbers", async () => (await counted()).length > before.length);
  expect((await fetchOutside()).stdout).toBe("hello");
});

it("leaves evidence that is verified offline, and a changed one that is not", async () => {
  await control(platform, "DELETE", `/v1/sandboxes/${sandbox.id}`);
  const [file, key, forged] = ["evidence.json", "key.pem", "forged.json"].map((name) => join(directory, name));
  if (file === undefined || key === undefined || forged === undefined) throw new Error("no names");
  expect((await cli("evidence", sandbox.id, "-o", file)).code).toBe(0);
  writeFileSync(key, (await cli("audit", "key")).text);
  const text = readFileSync(file, "utf8");
  for (const word of ["sandbox.quarantine", "sandbox.release", "outside.test", '"end_reason": "killed"'])
    expect(text).toContain(word);
  expect(await cli("evidence", "verify", file, "--key", key)).toMatchObject({ code: 0 });
  writeFileSync(forged, text.replaceAll("used a decoy key", "nothing at all"));
  const verdict = await cli("evidence", "verify", forged, "--key", key);
  expect(verdict.code).toBe(1);
  expect(verdict.text).toMatch(/audit event \d+ is not what its hash was made of/);
});
