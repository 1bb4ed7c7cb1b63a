import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { backgroundProcessDetailSchema, callbackBodySchema } from "#contracts/agent/background.ts";
import { makeClient } from "./support/client.ts";
import { agent, type CreatedSandbox, control, createRaw, run } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { pythonWithClient, runPython } from "./support/python.ts";
import { until } from "./support/until.ts";

/** Not public, and open by the operator's choice: where the receiver of callbacks listens. */
const receiverAddress = "127.0.0.2";
const secret = "webhook-s3cret";
let platform: RunningPlatform;
let client: ReturnType<typeof makeClient>;
let receiver: Server;
let hook: string;
const received: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];

beforeAll(async () => {
  receiver = createServer((req, res) => {
    let body = "";
    req.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    req.on("end", () => {
      received.push({ headers: req.headers, body });
      res.end();
    });
  });
  receiver.listen(0, receiverAddress);
  await once(receiver, "listening");
  hook = `http://${receiverAddress}:${(receiver.address() as AddressInfo).port}/hook`;
  platform = await startPlatform({ env: { BULKHEAD_EGRESS_ALLOW: receiverAddress } });
  client = makeClient(platform);
});
afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await platform.stop();
});

/** The callback of an execution, once it has come; its signature is checked. */
async function callbackOf(executionId: string) {
  const came = await until("callback", () =>
    received.find(({ headers }) => headers["x-hopx-execution-id"] === executionId),
  );
  const expected = `sha256=${createHmac("sha256", secret).update(came.body).digest("hex")}`;
  expect(came.headers["x-hopx-signature"]).toBe(expected);
  expect(Math.abs(Number(came.headers["x-hopx-timestamp"]) - Date.now() / 1000)).toBeLessThan(300);
  return { ...came, body: callbackBodySchema.strict().parse(JSON.parse(came.body)) };
}

async function detail(sandbox: CreatedSandbox, id: string) {
  return backgroundProcessDetailSchema.parse((await agent(sandbox, "GET", `/execute/processes/${id}`)).body);
}

const startedSchema = z.looseObject({ process_id: z.string(), execution_id: z.string() });

describe("background work through the published JavaScript client", () => {
  it("runs on, is listed, is killed with what escaped it, and its output stays", async () => {
    const js = await client.create();
    const code = [
      "import os, subprocess, time",
      "print(os.environ['GPU'], os.getcwd())",
      "subprocess.Popen(['setsid', 'bash', '-c', 'while :; do touch /workspace/alive; sleep 0.05; done'])",
      "time.sleep(600)",
    ].join("\n");
    const { process_id: id } = await js.runCodeBackground(code, { name: "training", env: { GPU: "1" } });
    await until("its escaped child", () => js.files.exists("/workspace/alive"));
    const mine = async () => (await js.listProcesses()).find(({ process_id: each }) => each === id);
    expect(await mine()).toMatchObject({ name: "training", status: "running", language: "python" });
    await js.killProcess(id);
    expect(await mine()).toMatchObject({ status: "killed" });
    await js.commands.run("rm /workspace/alive; sleep 0.3");
    expect(await js.files.exists("/workspace/alive")).toBe(false);
    await js.killProcess(id);
    await expect(js.killProcess("proc_none")).rejects.toMatchObject({ code: "PROCESS_NOT_FOUND" });
    await js.kill();
  });

  it("runs commands, whose answer can be read as that of one that has ended", async () => {
    const js = await client.create();
    const started = startedSchema.parse(await js.commands.runBackground("echo $WHO; exit 4", { env: { WHO: "me" } }));
    expect(started).toMatchObject({ stdout: "", stderr: "", exit_code: 0 });
    const ended = await until("its end", async () =>
      (await js.listProcesses()).find(
        ({ process_id: id, exit_code: code }) => id === started.process_id && typeof code === "number",
      ),
    );
    expect(ended).toMatchObject({ status: "failed", exit_code: 4 });
    await js.kill();
  });

  it("calls back when an asynchronous execution has ended", async () => {
    const js = await client.create();
    const queued = await js.runCodeAsync("import os; print(os.environ['X'], os.getcwd())", {
      ...{ callbackUrl: hook, callbackHeaders: { Authorization: "Bearer t" }, callbackSignatureSecret: secret },
      ...{ env: { X: "1" }, workingDir: "/tmp" },
    });
    expect(queued).toMatchObject({ status: "queued", callback_url: hook });
    const { headers, body } = await callbackOf(queued.execution_id);
    expect(headers["authorization"]).toBe("Bearer t");
    expect(body).toMatchObject({ status: "completed", stdout: "1 /tmp\n", stderr: "", exit_code: 0, error: "" });
    await js.kill();
  });

  it("has figures, and keeps what it has compiled", async () => {
    const js = await client.create();
    for (let lap = 0; lap < 2; lap += 1) {
      const { stdout } = await js.runCode("const n: number = 6 * 7; console.log(n)", { language: "typescript" });
      expect(stdout).toBe("42\n");
    }
    expect(await js.cache.stats()).toMatchObject({ hits: 1, misses: 1, count: 1, hit_rate: 0.5 });
    await js.cache.clear();
    expect(await js.cache.stats()).toMatchObject({ count: 0, size: 0 });
    const figures = await js.getMetricsSnapshot();
    expect(figures).toMatchObject({ total_executions: 2, requests_total: { "POST /execute": 2 } });
    await js.kill();
  });

  it("cannot be given an environment that no process can have", async () => {
    const js = await client.create({ envVars: { KEEP: "1" } });
    for (const size of [150_000, 1_000_000]) {
      await expect(js.env.set("HUGE", "x".repeat(size))).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    }
    expect(await js.env.getAll()).toEqual({ KEEP: "1" });
    await js.env.set("LARGE", "x".repeat(120_000));
    expect((await js.commands.run(`echo $KEEP \${#LARGE}`)).stdout).toBe("1 120000\n");
    expect((await js.runCode("import os; print(len(os.environ['LARGE']))")).stdout).toBe("120000\n");
    await js.kill();
  });
});

describe("a callback", () => {
  it.each([
    ["the metadata of a cloud", () => "http://169.254.169.254/latest/meta-data/"],
    ["the platform itself", () => `${platform.url}/v1/sandboxes`],
    ["a name of the host", () => `http://localhost:${platform.port}/v1/sandboxes`],
    ["a private address over TLS", () => "https://10.0.0.1/"],
  ])("does not reach %s", async (_, url) => {
    const sandbox = await createRaw(platform);
    const body = { code: "true", language: "bash", callback_url: url() };
    const { process_id: id } = startedSchema.parse((await agent(sandbox, "POST", "/execute/async", body)).body);
    const ended = await until("end of the delivery", async () => {
      const { callback } = await detail(sandbox, id);
      return callback?.status === "failed" && callback;
    });
    expect(ended).toEqual({ status: "failed", attempts: 1, last_error: "the sandbox's way out answered 403" });
    await control(platform, "DELETE", `/v1/sandboxes/${sandbox.id}`);
  });

  it("is refused at once where the sandbox may not go out", async () => {
    const sandbox = await createRaw(platform, { internet_access: false });
    const answer = await agent(sandbox, "POST", "/execute/async", { code: "1", callback_url: hook });
    expect(answer).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST" } });
    expect((await agent(sandbox, "GET", "/health")).body).toMatchObject({ features: { callbacks: false } });
    await control(platform, "DELETE", `/v1/sandboxes/${sandbox.id}`);
  });

  it("waits with its execution while the sandbox is paused, and ends with the sandbox when it is stopped", async () => {
    const sandbox = await createRaw(platform);
    const ask = async (code: string, timeout: number) => {
      const body = { ...{ code, language: "bash", timeout }, callback_url: hook, callback_signature_secret: secret };
      return startedSchema.parse((await agent(sandbox, "POST", "/execute/async", body)).body);
    };
    const paused = await ask("touch /workspace/begun; sleep 1; echo finished", 2);
    await until("its begin", async () => (await run(sandbox, "ls /workspace")).stdout.includes("begun"));
    await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/pause`);
    // Longer than it may take.
    await new Promise((wait) => setTimeout(wait, 2_200));
    expect(received.some(({ headers }) => headers["x-hopx-execution-id"] === paused.execution_id)).toBe(false);
    await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/resume`);
    expect((await callbackOf(paused.execution_id)).body).toMatchObject({ status: "completed", stdout: "finished\n" });
    const stopped = await ask("sleep 600", 600);
    expect((await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/stop`)).status).toBe(200);
    expect((await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/start`)).status).toBe(200);
    expect((await agent(sandbox, "GET", "/execute/processes")).body).toMatchObject({ processes: [], count: 0 });
    expect((await agent(sandbox, "GET", `/execute/processes/${stopped.process_id}`)).body).toMatchObject({
      code: "PROCESS_NOT_FOUND",
    });
    expect((await run(sandbox, "pgrep -c sleep")).stdout).toBe("0\n");
    await control(platform, "DELETE", `/v1/sandboxes/${sandbox.id}`);
  });
});

describe("more background processes than a sandbox can hold", () => {
  it.each([
    ["that run", "sleep 1000"],
    ["that leave others behind", "for i in 1 2 3 4 5; do setsid sleep 1000 > /dev/null 2>&1 & done"],
  ])("%s end in typed errors; it is well, and usable again", async (_, command) => {
    const sandbox = await createRaw(platform);
    const answers = new Map<string, number>();
    const one = async () => {
      const body = { command: "bash", args: ["-c", command], timeout: 120 };
      const answer = await agent(sandbox, "POST", "/commands/background", body);
      const code = z.looseObject({ code: z.string().default("") }).parse(answer.body).code;
      answers.set(`${answer.status} ${code}`.trim(), (answers.get(`${answer.status} ${code}`.trim()) ?? 0) + 1);
    };
    for (let count = 0; count < 1_000; count += 10) await Promise.all(Array.from({ length: 10 }, one));
    const refusals = [...answers.keys()].filter((outcome) => outcome !== "200");
    expect(answers.get("200")).toBeGreaterThan(40);
    expect(refusals.length).toBeGreaterThan(0);
    for (const refusal of refusals) {
      expect(["403 RESOURCE_LIMIT_ERROR", "400 EXECUTION_FAILED"]).toContain(refusal);
    }
    expect((await agent(sandbox, "GET", "/health")).body).toMatchObject({ status: "healthy" });
    const listed = async () =>
      z
        .object({ processes: z.array(z.object({ pid: z.number(), name: z.string() })) })
        .parse((await agent(sandbox, "GET", "/processes")).body)
        .processes.filter(({ name }) => name === "sleep" || name === "bash");
    expect((await listed()).length).toBeGreaterThan(40);
    await until("the end of all", async () => {
      for (const { pid } of await listed()) await agent(sandbox, "POST", `/processes/${pid}/kill`);
      return (await listed()).length === 0;
    });
    expect((await run(sandbox, "echo usable")).stdout).toBe("usable\n");
    await control(platform, "DELETE", `/v1/sandboxes/${sandbox.id}`);
  });
});

describe("the published Python clients", () => {
  it("run in the background, call back, set the environment and read figures, in both forms", async () => {
    const env = { BULKHEAD_URL: platform.url, HOPX_API_KEY: platform.apiKey, HOOK_URL: hook, HOOK_SECRET: secret };
    const script = resolve(import.meta.dirname, "python/background.py");
    const lines = (await runPython(await pythonWithClient(), script, env)).trim().split("\n");
    expect(lines.at(-1)).toBe("all promises kept");
    const ids = lines.flatMap((line) => /^execution (\S+)$/.exec(line)?.[1] ?? []);
    const bodies = await Promise.all(ids.map(async (id) => (await callbackOf(id)).body));
    expect(bodies).toMatchObject([
      { status: "completed", stdout: "from sync\n" },
      { status: "completed", stdout: "from async\n" },
    ]);
  });
});
