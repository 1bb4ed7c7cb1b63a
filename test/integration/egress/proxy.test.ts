import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EgressRow } from "#core/model.ts";
import { systemClock } from "#core/system-clock.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import type { EgressIdentity, EgressOptions, Resolver } from "#egress/ports.ts";
import { type EgressListener, makeEgressProxy } from "#egress/proxy.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aNetwork } from "#test/support/fixtures.ts";

const identity: EgressIdentity = { sandboxId: "s1", projectId: "p1", network: aNetwork(), brokered: [] };
let directory = "";
let socketPath = "";
let decisions: EgressRow[] = [];
let waiting: (() => void)[] = [];
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bulkhead-egress-"));
  socketPath = join(directory, "egress.sock");
  decisions = [];
  waiting = [];
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(directory, { recursive: true });
});

interface Setting {
  readonly identify?: () => EgressIdentity | undefined;
  readonly resolver?: Resolver;
  readonly allow?: readonly string[];
  readonly options?: EgressOptions;
}

async function open(setting: Setting = {}): Promise<EgressListener> {
  const proxy = makeEgressProxy({
    resolver: setting.resolver ?? { lookupAll: () => Promise.resolve(["127.0.0.1"]) },
    floor: makePublicOnlyPolicy({ hostAddresses: () => [], allowAddresses: setting.allow ?? ["127.0.0.1"] }),
    recorder: {
      record(row) {
        if (row.state !== "closed") return;
        decisions.push(row);
        for (const wake of waiting.splice(0)) wake();
      },
    },
    clock: systemClock,
    logger: noopLogger,
    ...(setting.options && { options: setting.options }),
  });
  const listener = await proxy.listen(socketPath, "i1", setting.identify ?? (() => identity));
  cleanups.push(() => listener.close());
  return listener;
}

async function decisionNumber(count: number): Promise<EgressRow> {
  while (decisions.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
  const decision = decisions[count - 1];
  if (decision === undefined) throw new Error("no decision");
  return decision;
}

function portOf(server: { address(): unknown }): number {
  const address = server.address();
  if (typeof address !== "object" || address === null || !("port" in address)) throw new Error("no port");
  return Number(address.port);
}

async function echoServer(onSocket: (socket: Socket) => void = () => {}): Promise<number> {
  const server = createTcpServer((socket) => {
    onSocket(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return portOf(server);
}

async function webServer(handler: Parameters<typeof createServer>[1]): Promise<number> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return portOf(server);
}

/** Sends `text` and collects what comes back until `until` matches or the connection ends. */
function say(text: string, until?: RegExp): Promise<{ socket: Socket; answer: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let answer = "";
    socket.on("error", reject);
    socket.on("close", () => resolve({ socket, answer }));
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString();
      if (until?.test(answer) === true) resolve({ socket, answer });
    });
    socket.write(text);
  });
}

const connectTo = (target: string) => `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`;

describe("CONNECT", () => {
  it("passes bytes both ways and logs them once, at the end", async () => {
    await open();
    const port = await echoServer();
    const { socket, answer } = await say(`${connectTo(`files.example:${port}`)}hello`, /hello$/);
    expect(answer).toBe("HTTP/1.1 200 Connection Established\r\n\r\nhello");
    expect(decisions).toEqual([]);
    socket.end();
    expect(await decisionNumber(1)).toMatchObject({
      instanceId: "i1",
      sandboxId: "s1",
      projectId: "p1",
      protocol: "connect",
      host: "files.example",
      port,
      address: "127.0.0.1",
      decision: "allow",
      bytesIn: 5,
      bytesOut: 5,
    });
    expect(decisions).toHaveLength(1);
  });

  it("connects to the address that was checked, although the name has changed its mind since", async () => {
    const answers = [["127.0.0.1"], ["10.0.0.1"]];
    let lookups = 0;
    await open({ resolver: { lookupAll: () => Promise.resolve(answers[lookups++] ?? []) } });
    const port = await echoServer();
    const { socket, answer } = await say(`${connectTo(`rebind.example:${port}`)}x`, /x$/);
    expect(answer).toContain("200");
    expect(lookups).toBe(1);
    socket.destroy();
    expect((await say(connectTo(`rebind.example:${port}`))).answer).toMatch(/^HTTP\/1\.1 403 /);
  });

  it.each([
    "169.254.169.254:80",
    "127.0.0.1:80",
    "[::1]:80",
    "[::ffff:127.0.0.1]:80",
    "10.0.0.1:443",
    "[fd00:ec2::254]:80",
  ])("refuses %s", async (target) => {
    await open({ allow: [] });
    const { answer } = await say(connectTo(target));
    expect(answer).toMatch(/^HTTP\/1\.1 403 .*not a public address/s);
    expect(await decisionNumber(1)).toMatchObject({ decision: "deny", address: null, bytesIn: 0, bytesOut: 0 });
  });

  it.each(["2130706433:80", "0x7f.1:80", "0177.0.0.1:80", "nohost"])(
    "refuses the target %s as unreadable",
    async (target) => {
      await open();
      expect((await say(connectTo(target))).answer).toMatch(/^HTTP\/1\.1 400 /);
    },
  );

  it("refuses a name when one of its addresses is closed", async () => {
    await open({ allow: [], resolver: { lookupAll: () => Promise.resolve(["93.184.216.34", "192.168.1.1"]) } });
    expect((await say(connectTo("mixed.example:443"))).answer).toMatch(/^HTTP\/1\.1 403 /);
  });

  it("refuses before it asks a name server: warm instance, internet access off, closed port", async () => {
    let lookups = 0;
    let current: EgressIdentity | undefined;
    await open({
      identify: () => current,
      resolver: {
        lookupAll: () => {
          lookups += 1;
          return Promise.resolve(["127.0.0.1"]);
        },
      },
    });
    expect((await say(connectTo("a.example:443"))).answer).toMatch(/^HTTP\/1\.1 403 .*belongs to no sandbox/s);
    current = { ...identity, network: aNetwork({ mode: "deny-all" }), brokered: [] };
    expect((await say(connectTo("a.example:443"))).answer).toMatch(/^HTTP\/1\.1 403 .*internet_access/s);
    current = identity;
    expect((await say(connectTo("a.example:25"))).answer).toMatch(/^HTTP\/1\.1 403 .*port 25/s);
    expect(lookups).toBe(0);
    expect(decisions.map((decision) => decision.sandboxId)).toEqual([null, "s1", "s1"]);
  });

  it("answers 502 for a name that does not resolve and a server that does not listen", async () => {
    await open({ resolver: { lookupAll: () => Promise.reject(new Error("ENOTFOUND")) } });
    expect((await say(connectTo("nowhere.example:443"))).answer).toMatch(/^HTTP\/1\.1 502 .*could not be resolved/s);
    expect((await say(connectTo("127.0.0.1:1"))).answer).toMatch(/^HTTP\/1\.1 502 .*ECONNREFUSED/s);
    expect(decisions.map((decision) => decision.decision)).toEqual(["deny", "allow"]);
  });

  it("refuses one connection too many and takes the next after one has ended", async () => {
    await open({ options: { maxConnections: 1 } });
    const port = await echoServer();
    const first = await say(`${connectTo(`127.0.0.1:${port}`)}x`, /x$/);
    expect((await say(connectTo(`127.0.0.1:${port}`))).answer).toMatch(/^HTTP\/1\.1 503 /);
    first.socket.destroy();
    await decisionNumber(2);
    const third = await say(`${connectTo(`127.0.0.1:${port}`)}x`, /x$/);
    expect(third.answer).toContain("200");
    third.socket.destroy();
  });

  it("ends the outer connection when the sandbox hangs up, and the other way round", async () => {
    await open();
    const outer: Socket[] = [];
    const port = await echoServer((socket) => outer.push(socket));
    const gone = await say(`${connectTo(`127.0.0.1:${port}`)}x`, /x$/);
    gone.socket.destroy();
    await decisionNumber(1);
    const kept = await say(`${connectTo(`127.0.0.1:${port}`)}x`, /x$/);
    const closed = new Promise<void>((resolve) => kept.socket.once("close", () => resolve()));
    outer[1]?.destroy();
    await closed;
    await decisionNumber(2);
  });

  it("ends a connection on which nothing moves", async () => {
    await open({ options: { idleMs: 50 } });
    const port = await echoServer();
    const { answer } = await say(connectTo(`127.0.0.1:${port}`));
    expect(answer).toContain("200");
    expect(await decisionNumber(1)).toMatchObject({ decision: "allow", reason: "idle for too long" });
  });

  it("ends everything of the instance when its listener closes", async () => {
    const listener = await open();
    const port = await echoServer();
    const { socket } = await say(`${connectTo(`127.0.0.1:${port}`)}x`, /x$/);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    await listener.close();
    await closed;
    await decisionNumber(1);
  });
});

describe("absolute http:// requests", () => {
  it("passes body and headers, without what concerns the proxy, to the host that was checked", async () => {
    await open();
    let seen: Record<string, unknown> = {};
    const port = await webServer((req, res) => {
      let body = "";
      req.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      req.on("end", () => {
        seen = { headers: req.headers, url: req.url, method: req.method, body };
        res.writeHead(201, { "X-Answer": "yes", "Keep-Alive": "timeout=9" });
        res.end("done");
      });
    });
    const { answer } = await say(
      `POST http://web.example:${port}/a?b=1 HTTP/1.1\r\nHost: other.example\r\nProxy-Authorization: Basic eA==\r\n` +
        "Proxy-Connection: keep-alive\r\nX-Hop: 1\r\nX-Kept: 1\r\nConnection: close, X-Hop\r\nContent-Length: 4\r\n\r\nbody",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 201 Created\r\nX-Answer: yes\r\n/);
    expect(answer).toContain("done");
    expect(answer).not.toContain("timeout=9");
    expect(seen).toMatchObject({ url: "/a?b=1", method: "POST", body: "body" });
    expect(seen["headers"]).toEqual({
      host: `web.example:${port}`,
      "x-kept": "1",
      "content-length": "4",
      connection: "close",
    });
    const decision = await decisionNumber(1);
    expect(decision).toMatchObject({ protocol: "http", method: "POST", host: "web.example", decision: "allow" });
    expect(decision.bytesIn).toBeGreaterThan(50);
    expect(decision.bytesOut).toBeGreaterThan(50);
  });

  it.each([
    "http://169.254.169.254/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://127.1/",
  ])("refuses %s", async (url) => {
    await open({ allow: [] });
    const { answer } = await say(`GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 403 .*not a public address/s);
  });

  it.each(["/", "https://example.com/", "http://", "ftp://example.com/"])(
    "answers 400 to the target %s",
    async (target) => {
      await open();
      expect((await say(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).answer).toMatch(/^HTTP\/1\.1 400 /);
    },
  );

  it("refuses ambiguous framing", async () => {
    await open();
    const { answer } = await say(
      "POST http://127.0.0.1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(decisions).toEqual([]);
  });

  it("answers 502 when the server breaks the connection before it answers", async () => {
    await open();
    const port = await webServer((req) => req.socket.destroy());
    const { answer } = await say(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
  });
});
