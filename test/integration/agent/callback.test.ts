import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { backgroundProcessDetailSchema, callbackBodySchema } from "#contracts/agent/background.ts";
import { systemClock } from "#core/system-clock.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import type { EgressDecision } from "#egress/ports.ts";
import { makeEgressProxy } from "#egress/proxy.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";

interface Received {
  readonly req: IncomingMessage;
  readonly body: string;
}

/** The name under which the proxy finds the receiver; it is allowed, although its address is private. */
const receiverHost = "receiver.example";
const secret = "webhook-s3cret";
let agent: AgentProcess;
let port: number;
let received: Received[] = [];
let decisions: EgressDecision[] = [];
let answer: (res: ServerResponse) => void = () => {};
const cleanups: (() => unknown)[] = [];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return free;
}

beforeAll(async () => {
  const receiver = createServer((req, res) => {
    let body = "";
    req.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    req.on("end", () => {
      received.push({ req, body });
      answer(res);
    });
  });
  receiver.listen(0, "127.0.0.2");
  await once(receiver, "listening");
  ({ port } = receiver.address() as AddressInfo);
  const proxy = makeEgressProxy({
    resolver: { lookupAll: (host) => Promise.resolve([host === receiverHost ? "127.0.0.2" : "10.1.2.3"]) },
    policy: makePublicOnlyPolicy({ hostAddresses: () => [], allowAddresses: ["127.0.0.2"] }),
    decisions: { record: (decision) => decisions.push(decision) },
    clock: systemClock,
    logger: noopLogger,
  });
  const egressPort = await freePort();
  const socketPath = join("/tmp", `bulkhead-callback-${process.pid}.sock`);
  const listener = await proxy.listen(socketPath, "i1", () => ({
    ...{ sandboxId: "s1", projectId: "p1", internetAccess: true },
  }));
  agent = await startAgent({ BULKHEAD_EGRESS_SOCKET: socketPath, BULKHEAD_EGRESS_PORT: String(egressPort) });
  cleanups.push(
    () => agent.stop(),
    () => listener.close(),
    () => receiver.closeAllConnections(),
    () => receiver.close(),
  );
});
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
});
beforeEach(() => {
  received = [];
  decisions = [];
  answer = (res) => void res.writeHead(200).end("ok");
});

async function run(url: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { status, body } = await agent.ask("POST", "/execute/async", {
    ...{ code: "print('done')", workdir: agent.directory, callback_url: url, callback_signature_secret: secret },
    ...more,
  });
  expect([status, body["status"]]).toEqual([200, "queued"]);
  return String(body["process_id"]);
}

async function delivery(id: string, status: string) {
  const giveUp = Date.now() + 20_000;
  for (;;) {
    const text = (await agent.ask("GET", `/execute/processes/${id}`)).body;
    expect(JSON.stringify(text)).not.toContain(secret);
    const { callback } = backgroundProcessDetailSchema.parse(text);
    if (callback?.status === status) return callback;
    if (Date.now() > giveUp) throw new Error(`the callback is ${JSON.stringify(callback)}, not ${status}`);
    await pause(30);
  }
}

const target = () => `http://${receiverHost}:${port}/hook?a=1`;

describe("the callback of an asynchronous execution", () => {
  it("brings the outcome, signed, with the caller's headers", async () => {
    const id = await run(target(), {
      callback_headers: { Authorization: "Bearer t", Host: "evil", "Content-Length": "1" },
    });
    await delivery(id, "delivered");
    const [first] = received;
    expect(first?.req.url).toBe("/hook?a=1");
    expect(first?.req.headers).toMatchObject({
      authorization: "Bearer t",
      host: `${receiverHost}:${port}`,
      "content-type": "application/json",
      "x-hopx-signature": `sha256=${createHmac("sha256", secret)
        .update(first?.body ?? "")
        .digest("hex")}`,
    });
    expect(Math.abs(Number(first?.req.headers["x-hopx-timestamp"]) - Date.now() / 1000)).toBeLessThan(60);
    const body = callbackBodySchema.strict().parse(JSON.parse(first?.body ?? "{}"));
    expect(body).toMatchObject({ status: "completed", stdout: "done\n", exit_code: 0, error: "" });
    expect(decisions).toMatchObject([{ host: receiverHost }]);
  });

  it("tells of a failure and of a timeout", async () => {
    await delivery(await run(target(), { code: "exit 3", language: "bash" }), "delivered");
    await delivery(await run(target(), { code: "sleep 60", language: "bash", timeout: 0.2 }), "delivered");
    expect(received.map(({ body }) => callbackBodySchema.parse(JSON.parse(body)).status)).toEqual([
      "failed",
      "timeout",
    ]);
  });

  it("comes again when the receiver was not able to take it", async () => {
    answer = (res) => void res.writeHead(received.length < 2 ? 503 : 204).end();
    const { attempts, last_error: why } = await delivery(await run(target()), "delivered");
    expect([attempts, why]).toEqual([2, "the receiver answered 503"]);
    expect(received).toHaveLength(2);
  });

  it("does not follow a redirect", async () => {
    answer = (res) => void res.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end();
    expect(await delivery(await run(target()), "failed")).toMatchObject({
      attempts: 1,
      last_error: "the receiver answered 302",
    });
    expect(decisions.map(({ host }) => host)).toEqual([receiverHost]);
  });

  it.each([
    ["a name of a private address", () => `http://internal.example:${port}/`],
    ["a private address", () => `http://127.0.0.1:${port}/`],
    ["the metadata of the host", () => "http://169.254.169.254/latest/meta-data/"],
    ["a private address over TLS", () => "https://internal.example/"],
  ])("does not reach %s", async (_, url) => {
    expect(await delivery(await run(url()), "failed")).toMatchObject({ attempts: 1 });
    expect(received).toEqual([]);
  });

  it("waits no longer than it should for a receiver that never answers", async () => {
    answer = () => {};
    const id = await run(target());
    const giveUp = Date.now() + 20_000;
    for (;;) {
      const { callback } = backgroundProcessDetailSchema.parse(
        (await agent.ask("GET", `/execute/processes/${id}`)).body,
      );
      if (callback?.last_error === "no answer within 10 s") break;
      if (Date.now() > giveUp) throw new Error("still waiting");
      await pause(100);
    }
    expect((await agent.ask("GET", "/health")).status).toBe(200);
  });

  it("counts as activity while it runs", async () => {
    const id = await run(target(), { code: "sleep 30", language: "bash" });
    expect((await agent.ask("GET", "/_bulkhead/state")).body).toMatchObject({ active_executions: 1 });
    await agent.ask("POST", `/execute/kill/${id}`);
    await delivery(id, "delivered");
    expect(callbackBodySchema.parse(JSON.parse(received.at(-1)?.body ?? "{}"))).toMatchObject({
      status: "failed",
      error: "The execution was killed.",
    });
  });
});
