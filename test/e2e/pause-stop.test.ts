import { request } from "node:http";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { makeClient } from "./support/client.ts";
import { agent, type CreatedSandbox, control, createRaw, run } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { pythonWithClient, runPython } from "./support/python.ts";
import { footprint, residue } from "./support/residue.ts";
import { until } from "./support/until.ts";

let platform: RunningPlatform;
let client: ReturnType<typeof makeClient>;

beforeAll(async () => {
  // Nothing is warm: what is left of an instance is a leak.
  platform = await startPlatform({ flags: ["--no-code-interpreter", "--pool", "base=0"] });
  client = makeClient(platform);
});
afterAll(() => platform.stop());

type Verb = "pause" | "resume" | "stop" | "start";
const post = (id: string, verb: Verb) => control(platform, "POST", `/v1/sandboxes/${id}/${verb}`);
const get = (id: string) => control(platform, "GET", `/v1/sandboxes/${id}`);
const kill = (id: string) => control(platform, "DELETE", `/v1/sandboxes/${id}`);

async function idsWith(query: string): Promise<readonly string[]> {
  const { body } = await control(platform, "GET", `/v1/sandboxes?${query}`);
  return z
    .object({ data: z.array(z.object({ id: z.string() })) })
    .parse(body)
    .data.map(({ id }) => id);
}

/** Writes a number and the time, again and again. */
const counter =
  "setsid python3 -c \"import time; n = 0\nwhile True: n += 1; print(n, time.time(), file=open('/workspace/count', 'a')); time.sleep(0.02)\" > /dev/null 2>&1 &";

async function counted(sandbox: CreatedSandbox) {
  const { stdout } = await run(sandbox, "cat /workspace/count");
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number))
    .map(([number = 0, seconds = 0]) => ({ number, at: seconds * 1000 }));
}

describe("a paused sandbox", () => {
  it("stands still, keeps its memory, and goes on where it was", async () => {
    const sandbox = await createRaw(platform);
    const js = await client.connect(sandbox.id);
    await run(sandbox, counter);
    await until("a few numbers", async () => (await counted(sandbox)).length > 3);
    await js.pause();
    const pausedAt = Date.now();
    expect((await js.getInfo()).status).toBe("paused");
    await delay(400);
    const resumedAt = Date.now();
    await js.resume();
    expect((await js.getInfo()).status).toBe("running");
    await until("more numbers", async () => (await counted(sandbox)).some(({ at }) => at > resumedAt));
    const all = await counted(sandbox);
    expect(all.filter(({ at }) => at > pausedAt && at < resumedAt)).toEqual([]);
    expect(all.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1));
    await kill(sandbox.id);
  });

  it("says so, answers its health and nothing else, and is resumed by connect()", async () => {
    const sandbox = await createRaw(platform);
    const idle = await createRaw(platform);
    expect(await post(sandbox.id, "pause")).toMatchObject({ status: 200, body: { id: sandbox.id, status: "paused" } });
    expect(await post(sandbox.id, "pause")).toMatchObject({ status: 200, body: { status: "paused" } });
    expect((await get(sandbox.id)).body).toMatchObject({ status: "paused", compute_billed: false });
    expect(await idsWith("status=paused")).toEqual([sandbox.id]);
    expect(await idsWith("status=running")).toEqual([idle.id]);
    expect((await agent(sandbox, "GET", "/health")).status).toBe(200);
    const refused = await agent(sandbox, "POST", "/commands/run", { command: "true" });
    expect(refused).toMatchObject({ status: 409, body: { code: "SANDBOX_STOPPED" } });
    const js = await client.connect(sandbox.id);
    expect((await js.commands.run("echo awake")).stdout).toBe("awake\n");
    expect(await post(sandbox.id, "resume")).toMatchObject({ status: 200, body: { status: "running" } });
    expect((await run(sandbox, "echo old token")).stdout).toBe("old token\n");
    await Promise.all([kill(sandbox.id), kill(idle.id)]);
  });

  it("lets a run go on that was in the middle, and an upload", async () => {
    const sandbox = await createRaw(platform);
    const working = run(sandbox, "touch /workspace/begun; sleep 0.3; echo finished", 2);
    await until("its begin", async () => (await run(sandbox, "ls /workspace")).stdout.includes("begun"));
    const upload = await halfUpload(sandbox, "/workspace/up.txt", "x".repeat(2_000_000));
    await post(sandbox.id, "pause");
    // Longer than the run may take.
    await delay(2_200);
    upload.finish();
    expect(await upload.status).toBe(200);
    await post(sandbox.id, "resume");
    expect(await working).toMatchObject({ stdout: "finished\n", exit_code: 0 });
    expect((await run(sandbox, "wc -c < /workspace/up.txt")).stdout.trim()).toBe("2000000");
    await kill(sandbox.id);
  });

  it("can be killed, and ends at its timeout", async () => {
    const killed = await createRaw(platform);
    const timed = await createRaw(platform, { timeout_seconds: 3 });
    await Promise.all([post(killed.id, "pause"), post(timed.id, "pause")]);
    await kill(killed.id);
    expect(await get(killed.id)).toMatchObject({ status: 410, body: { end_reason: "killed" } });
    await until("its end", async () => (await get(timed.id)).status === 410);
    expect((await get(timed.id)).body).toMatchObject({ end_reason: "timeout" });
  });
});

/** A file of which the second half is sent later. */
async function halfUpload(sandbox: CreatedSandbox, path: string, content: string) {
  const { hostname, port, pathname } = new URL(sandbox.public_host);
  const body = Buffer.from(JSON.stringify({ path, content }));
  const headers = {
    authorization: `Bearer ${sandbox.auth_token}`,
    "content-type": "application/json",
    "content-length": String(body.length),
  };
  const sent = request({ hostname, port, method: "POST", path: `${pathname.replace(/\/$/, "")}/files/write`, headers });
  const status = new Promise<number | undefined>((resolve, reject) => {
    sent.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject);
  });
  await new Promise<void>((resolve) => sent.write(body.subarray(0, body.length / 2), () => resolve()));
  return { status, finish: () => void sent.end(body.subarray(body.length / 2)) };
}

describe("a stopped sandbox", () => {
  it("starts again with its files, its environment and its token", async () => {
    const sandbox = await createRaw(platform, { env_vars: { GIVEN: "at create" } });
    await run(
      sandbox,
      "mkdir /workspace/d; echo kept > /workspace/d/f; chmod 640 /workspace/d/f; ln -s f /workspace/d/l",
    );
    await agent(sandbox, "PATCH", "/env", { env_vars: { ADDED: "later" }, merge: true });
    await run(sandbox, "setsid sleep 4795.1 > /dev/null 2>&1 &");
    const before = footprint(platform);
    const { body: first } = await get(sandbox.id);
    expect(await post(sandbox.id, "stop")).toMatchObject({ status: 200, body: { id: sandbox.id, status: "stopped" } });
    expect(await post(sandbox.id, "stop")).toMatchObject({ status: 200, body: { status: "stopped" } });
    expect((await get(sandbox.id)).body).toMatchObject({ status: "stopped", compute_billed: false });
    expect(residue({ ...before, processes: [] }, true).filter((line) => line.startsWith("process"))).toEqual([]);
    expect(await idsWith("status=stopped")).toEqual([sandbox.id]);
    expect(await agent(sandbox, "GET", "/health")).toMatchObject({ status: 409, body: { code: "SANDBOX_STOPPED" } });
    await expect(client.connect(sandbox.id)).rejects.toThrow(/stopped/);
    expect(await post(sandbox.id, "start")).toMatchObject({ status: 200, body: { id: sandbox.id, status: "running" } });
    expect((await post(sandbox.id, "start")).status).toBe(200);
    const listed = await run(
      sandbox,
      "cat /workspace/d/l; stat -c %a /workspace/d/f; echo $GIVEN, $ADDED; pgrep sleep",
    );
    expect(listed.stdout).toBe("kept\n640\nat create, later\n");
    const { body: second } = await get(sandbox.id);
    expect(second).toMatchObject({ status: "running" });
    expect(second).not.toMatchObject(z.object({ node_id: z.string() }).parse(first));
    const js = await client.connect(sandbox.id);
    expect((await js.files.read("/workspace/d/f")).trim()).toBe("kept");
    await kill(sandbox.id);
  });

  it("works again and again, also out of a pause, and leaves nothing when it is killed", async () => {
    const sandbox = await createRaw(platform);
    const before = footprint(platform);
    for (let lap = 1; lap <= 3; lap += 1) {
      await run(sandbox, `echo ${lap} >> /workspace/laps`);
      await post(sandbox.id, "pause");
      expect((await post(sandbox.id, "stop")).status).toBe(200);
      expect((await post(sandbox.id, "start")).status).toBe(200);
    }
    expect((await run(sandbox, "cat /workspace/laps")).stdout).toBe("1\n2\n3\n");
    await post(sandbox.id, "stop");
    expect((await kill(sandbox.id)).status).toBe(200);
    expect(await get(sandbox.id)).toMatchObject({ status: 410, body: { end_reason: "killed" } });
    expect(await post(sandbox.id, "start")).toMatchObject({ status: 410, body: { code: "SANDBOX_EXPIRED" } });
    await until("end of its files", () => residue({ ...before, processes: [] }, true).length === 0).catch(() => {
      expect(residue({ ...before, processes: [] }, true)).toEqual([]);
    });
  });

  it("tells the caller of a run that was in the middle", async () => {
    const sandbox = await createRaw(platform);
    const working = agent(sandbox, "POST", "/commands/run", {
      command: "touch /workspace/begun; sleep 600",
      timeout: 600,
    });
    await until("its begin", async () => (await run(sandbox, "ls /workspace")).stdout.includes("begun"));
    expect((await post(sandbox.id, "stop")).status).toBe(200);
    expect(await working).toMatchObject({ status: 409, body: { code: "SANDBOX_STOPPED" } });
    await kill(sandbox.id);
  });

  it("ends at its timeout with its files", async () => {
    const sandbox = await createRaw(platform, { timeout_seconds: 3 });
    const before = footprint(platform);
    await post(sandbox.id, "stop");
    const ended = async () => (await get(sandbox.id)).status === 410;
    await until("its end", ended, { timeoutMs: 90_000 });
    expect((await get(sandbox.id)).body).toMatchObject({ end_reason: "timeout" });
    expect(residue({ ...before, processes: [] }, true)).toEqual([]);
  });
});

describe("the published Python client", () => {
  it("pauses, resumes and connects, in both forms", async () => {
    const env = { BULKHEAD_URL: platform.url, HOPX_API_KEY: platform.apiKey };
    const script = resolve(import.meta.dirname, "python/rest_client.py");
    const stdout = await runPython(await pythonWithClient(), script, env);
    expect(stdout.trim().split("\n").at(-1)).toBe("all promises kept");
  });
});

describe("the platform dies", () => {
  it("and what was stopped or paused has ended when it is back, files and all", async () => {
    const other = await startPlatform();
    const stopped = await createRaw(other);
    const paused = await createRaw(other);
    await run(stopped, "echo x > /workspace/x");
    await control(other, "POST", `/v1/sandboxes/${stopped.id}/stop`);
    await control(other, "POST", `/v1/sandboxes/${paused.id}/pause`);
    const before = footprint(other);
    await other.crash();
    const again = await startPlatform({ home: other.home, flags: ["--no-code-interpreter", "--pool", "base=0"] });
    try {
      for (const { id } of [stopped, paused]) {
        const ended = await until("its end", async () => {
          const answer = await control(again, "GET", `/v1/sandboxes/${id}`);
          return answer.status === 410 && answer;
        });
        expect(ended.body).toMatchObject({ end_reason: "host_retired" });
      }
      expect(residue({ ...before, processes: [] }, true)).toEqual([]);
    } finally {
      await again.stop();
    }
  });
});
