import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { selfSigned } from "#agent/tls/self-signed.ts";
import { backgroundProcessDetailSchema, callbackBodySchema } from "#contracts/agent/background.ts";
import type { EgressRow } from "#core/model.ts";
import { systemClock } from "#core/system-clock.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import { makeEgressProxy } from "#egress/proxy.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aNetwork } from "#test/support/fixtures.ts";
import { type AgentProcess, startAgent, until } from "./agent-process.ts";

interface Received {
  readonly req: IncomingMessage;
  readonly body: string;
}

/** The name under which the proxy finds the receiver; it is allowed, although its address is private. */
const receiverHost = "receiver.example";
const secret = "webhook-s3cret";
let agent: AgentProcess;
let port: number;
let tlsPort: number;
let wayOut: Readonly<Record<string, string>>;
const directory = mkdtempSync(join(tmpdir(), "bulkhead-callback-"));
let received: Received[] = [];
let decisions: EgressRow[] = [];
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
  const receive = (req: IncomingMessage, res: ServerResponse): void => {
    let body = "";
    req.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    req.on("end", () => {
      received.push({ req, body });
      answer(res);
    });
  };
  const certificate = selfSigned(receiverHost, Date.now());
  // As the agent is told of it: the authority's own file, and beside it all that are trusted.
  const authority = join(directory, "authority.pem");
  writeFileSync(join(directory, "ca-certificates.crt"), certificate.cert);
  const receiver = createServer(receive).listen(0, "127.0.0.2");
  const tlsReceiver = createTlsServer({ ...certificate }, receive).listen(0, "127.0.0.2");
  await Promise.all([once(receiver, "listening"), once(tlsReceiver, "listening")]);
  ({ port } = receiver.address() as AddressInfo);
  ({ port: tlsPort } = tlsReceiver.address() as AddressInfo);
  const proxy = makeEgressProxy({
    resolver: { lookupAll: (host) => Promise.resolve([host.endsWith(receiverHost) ? "127.0.0.2" : "10.1.2.3"]) },
    floor: makePublicOnlyPolicy({ hostAddresses: () => [], allowAddresses: ["127.0.0.2"] }),
    recorder: {
      record(row) {
        if (row.state === "closed") decisions.push(row);
      },
    },
    clock: systemClock,
    logger: noopLogger,
  });
  const socketPath = join(directory, "egress.sock");
  const listener = await proxy.listen(socketPath, "i1", () => ({
    ...{ sandboxId: "s1", projectId: "p1", network: aNetwork(), brokered: [] },
  }));
  wayOut = { BULKHEAD_EGRESS_SOCKET: socketPath, BULKHEAD_CA_FILE: authority };
  agent = await startAgent({ ...wayOut, BULKHEAD_EGRESS_PORT: String(await freePort()) });
  cleanups.push(
    () => agent.stop(),
    () => listener.close(),
    ...[receiver, tlsReceiver].flatMap((each) => [() => each.closeAllConnections(), () => each.close()]),
    () => rmSync(directory, { recursive: true }),
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

async function shown(id: string) {
  return backgroundProcessDetailSchema.strict().parse((await agent.ask("GET", `/execute/processes/${id}`)).body);
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

/** Written down when a connection has ended. */
const hosts = () => decisions.map(({ host }) => host);
const target = () => `http://${receiverHost}:${port}/hook?a=1`;

describe("the callback of an asynchronous execution", () => {
  it("brings the outcome, signed, with the caller's headers", async () => {
    const id = await run(target(), {
      callback_headers: {
        ...{ Authorization: "Bearer t", Host: "evil", "Content-Length": "1", Expect: "100-continue" },
        ...{ "Transfer-Encoding": "chunked", "Proxy-Authorization": "x", "x-hopx-signature": "sha256=forged" },
      },
    });
    await delivery(id, "delivered");
    const [first] = received;
    expect(first?.req.url).toBe("/hook?a=1");
    for (const name of ["expect", "transfer-encoding", "proxy-authorization"]) {
      expect(first?.req.headers).not.toHaveProperty(name);
    }
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
    await until(() => hosts().includes(receiverHost));
  });

  it("tells of a failure and of a timeout", async () => {
    await delivery(await run(target(), { code: "exit 3", language: "bash" }), "delivered");
    await delivery(await run(target(), { code: "sleep 60", language: "bash", timeout: 0.2 }), "delivered");
    expect(received.map(({ body }) => callbackBodySchema.parse(JSON.parse(body)))).toMatchObject([
      { status: "failed", exit_code: 3, error: "The program ended with exit code 3." },
      { status: "timeout", exit_code: 124, error: "The execution took longer than its timeout." },
    ]);
  });

  it("goes through a tunnel to a receiver with TLS, whose certificate is checked", async () => {
    await delivery(await run(`https://${receiverHost}:${tlsPort}/hook`), "delivered");
    expect(received).toMatchObject([{ req: { url: "/hook", headers: { host: `${receiverHost}:${tlsPort}` } } }]);
    const id = await run(`https://other.${receiverHost}:${tlsPort}/hook`);
    const why = async () => (await shown(id)).callback?.last_error;
    await until(async () => (await why()) === "no connection (ERR_TLS_CERT_ALTNAME_INVALID)");
    expect(received).toHaveLength(1);
    const tunnels = () => decisions.filter(({ protocol }) => protocol === "connect").map(({ host }) => host);
    await until(() => tunnels().length >= 2);
    expect(tunnels().slice(0, 2)).toEqual([receiverHost, `other.${receiverHost}`]);
  });

  it.each([500, 429])("comes again, the same, after a %i", async (status) => {
    answer = (res) => void res.writeHead(received.length < 2 ? status : 204).end();
    const { attempts, last_error: why } = await delivery(await run(target()), "delivered");
    expect([attempts, why]).toEqual([2, `the receiver answered ${status}`]);
    expect(received).toHaveLength(2);
    expect(received[1]?.body).toBe(received[0]?.body);
    expect(received[1]?.req.headers["x-hopx-signature"]).toBe(received[0]?.req.headers["x-hopx-signature"]);
  });

  it("does not read an answer without end", async () => {
    let ended = false;
    answer = (res) => {
      res.writeHead(200);
      const write = (): void => {
        while (res.write("x".repeat(16_384)));
      };
      res.on("drain", write).on("close", () => (ended = true));
      write();
    };
    await delivery(await run(target()), "delivered");
    await until(() => ended);
  });

  it("does not follow a redirect", async () => {
    answer = (res) => void res.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end();
    expect(await delivery(await run(target()), "failed")).toMatchObject({
      attempts: 1,
      last_error: "the receiver answered 302",
    });
    await until(() => hosts().includes(receiverHost));
    expect(hosts()).not.toContain("169.254.169.254");
  });

  it.each([
    ["a name of a private address", () => `http://internal.example:${port}/`],
    ["a private address", () => `http://127.0.0.1:${port}/`],
    ["the metadata of the host", () => "http://169.254.169.254/latest/meta-data/"],
    ["a private address over TLS", () => "https://internal.example/"],
  ])("does not reach %s", async (_, url) => {
    expect(await delivery(await run(url()), "failed")).toMatchObject({
      attempts: 1,
      last_error: "the sandbox's way out answered 403",
    });
    expect(received).toEqual([]);
  });

  it("waits no longer than it should for a receiver that never answers", async () => {
    answer = () => {};
    const id = await run(target());
    const why = async () => (await shown(id)).callback?.last_error;
    await until(async () => (await why()) === "no answer within 10 s", 20_000);
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

describe("an agent whose receivers never answer", () => {
  it("takes no more than it can hold, stays well, and leaves nothing when it is stopped in the middle", async () => {
    answer = () => {};
    const own = await startAgent({ ...wayOut, BULKHEAD_EGRESS_PORT: String(await freePort()) });
    cleanups.unshift(() => own.stop());
    const answers = new Map<string, number>();
    const one = async () => {
      const url = `http://${receiverHost}:${port}/silent`;
      const body = { code: "true", language: "bash", workdir: own.directory, callback_url: url };
      const { status, body: told } = await own.ask("POST", "/execute/async", body);
      const outcome = `${status} ${String(told["code"] ?? told["status"])}`;
      answers.set(outcome, (answers.get(outcome) ?? 0) + 1);
    };
    for (let count = 0; count < 220; count += 5) await Promise.all([one(), one(), one(), one(), one()]);
    expect(Object.fromEntries(answers)).toEqual({ "200 queued": 200, "403 RESOURCE_LIMIT_ERROR": 20 });
    // Others are those of earlier tests, which are tried again.
    const ours = () => received.filter(({ req }) => req.url === "/silent");
    await until(() => ours().length > 0);
    expect((await own.ask("GET", "/health")).body).toMatchObject({ status: "healthy", active_executions: 0 });
    const sockets = ours().map(({ req }) => req.socket);
    expect(sockets.length).toBeLessThanOrEqual(8);
    await own.stop();
    await until(() => sockets.every((socket) => socket.destroyed));
  });

  it("refuses at once where the sandbox may not go out", async () => {
    const own = await startAgent({ ...wayOut, BULKHEAD_EGRESS_PORT: String(await freePort()) });
    cleanups.unshift(() => own.stop());
    const callbacks = async () =>
      ((await own.ask("GET", "/health")).body["features"] as Record<string, unknown>)["callbacks"];
    expect(await callbacks()).toBe(true);
    await own.ask("POST", "/_bulkhead/activate", {
      ...{ sandbox_id: "s1", env: {}, internet_access: false, resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 } },
      lease: { lifetime_at: Date.now() + 600_000, idle_ms: 600_000 },
    });
    const asked = { code: "true", language: "bash", workdir: own.directory, callback_url: target() };
    expect(await own.ask("POST", "/execute/async", asked)).toMatchObject({
      status: 400,
      body: { code: "INVALID_REQUEST", details: { field: "callback_url" } },
    });
    expect(await callbacks()).toBe(false);
    expect((await own.ask("GET", "/execute/processes")).body).toMatchObject({ count: 0 });
  });
});
