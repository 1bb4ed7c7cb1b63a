import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { EgressRow } from "#core/model.ts";
import { systemClock } from "#core/system-clock.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import { makeEgressProxy } from "#egress/proxy.ts";
import type { EgressSource, TcpEgress, TcpOptions } from "#egress/tcp.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aNetwork } from "#test/support/fixtures.ts";

/** Sandboxes by the address they come from; every address of 127.0.0.0/8 is this machine. */
const first: EgressSource = {
  instanceId: "i1",
  identity: { sandboxId: "s1", projectId: "p1", network: aNetwork(), brokered: [] },
};
const second: EgressSource = {
  instanceId: "i2",
  identity: { sandboxId: "s2", projectId: "p1", network: aNetwork({ mode: "deny-all" }), brokered: [] },
};
const addresses = new Map<string, EgressSource>();
const cleanups: (() => Promise<unknown>)[] = [];
let decisions: EgressRow[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  addresses.clear();
});

async function open(change: Partial<TcpOptions> = {}): Promise<TcpEgress> {
  decisions = [];
  const proxy = makeEgressProxy({
    resolver: { lookupAll: async () => ["127.0.0.1"] },
    floor: makePublicOnlyPolicy({ hostAddresses: () => [], allowAddresses: ["127.0.0.1"] }),
    recorder: { record: (row) => (row.state === "closed" ? void decisions.push(row) : undefined) },
    clock: systemClock,
    logger: noopLogger,
    options: { maxConnections: 2 },
  });
  const egress = await proxy.listenTcp({
    host: "127.0.0.1",
    port: 0,
    isInstanceHost: (address) => address.startsWith("127.0.0."),
    identify: async (address) => addresses.get(address),
    ...change,
  });
  cleanups.push(() => egress.close(0));
  return egress;
}

async function echo(): Promise<number> {
  const server = createTcpServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(async () => server.close());
  return (server.address() as AddressInfo).port;
}

/** Connects from `localAddress`, sends, and collects what comes back until it matches or the connection ends. */
function say(
  egress: TcpEgress,
  localAddress: string,
  text: string,
  until: RegExp,
): Promise<{ socket: Socket; answer: string }> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: egress.port, localAddress });
    let answer = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      answer += chunk.toString();
      if (until.test(answer)) resolve({ socket, answer });
    });
    socket.on("close", () => resolve({ socket, answer }));
    socket.write(text);
  });
}

const connectTo = (port: number) => `CONNECT files.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`;
const refused = /\r\n\r\n.+\n/s;

async function decided(count: number): Promise<EgressRow[]> {
  const giveUpAt = Date.now() + 5_000;
  while (decisions.length < count && Date.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 5));
  return decisions;
}

describe("the way out over TCP", () => {
  it("knows a sandbox by the address it comes from, whatever it says", async () => {
    const egress = await open();
    addresses.set("127.0.0.11", first).set("127.0.0.12", second);
    const port = await echo();
    const allowed = await say(egress, "127.0.0.11", `${connectTo(port)}hello`, /hello$/);
    expect(allowed.answer).toContain("200 Connection Established");
    allowed.socket.destroy();
    const denied = await say(
      egress,
      "127.0.0.12",
      `CONNECT files.example:${port} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.11\r\n\r\n`,
      refused,
    );
    expect(denied.answer).toContain("deny-all");
    expect((await decided(2)).map(({ sandboxId, decision }) => [sandboxId, decision])).toEqual(
      expect.arrayContaining([
        ["s1", "allow"],
        ["s2", "deny"],
      ]),
    );
  });

  it("forwards plain HTTP, several requests on one connection", async () => {
    const egress = await open();
    addresses.set("127.0.0.11", first);
    const server = createServer((req, res) => res.end(`you asked ${req.url ?? ""}`)).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(async () => server.close());
    const { port } = server.address() as AddressInfo;
    for (const path of ["/a", "/b"]) {
      const body = await new Promise<string>((resolve, reject) => {
        const req = request({
          host: "127.0.0.1",
          port: egress.port,
          localAddress: "127.0.0.11",
          path: `http://files.example:${port}${path}`,
          headers: { host: "files.example" },
        });
        req.on("error", reject);
        req.on("response", (res) => {
          let text = "";
          res.on("data", (chunk) => (text += String(chunk)));
          res.on("end", () => resolve(text));
        });
        req.end();
      });
      expect(body).toBe(`you asked ${path}`);
    }
  });

  it("refuses and records an address that no sandbox has", async () => {
    const egress = await open();
    const { answer } = await say(egress, "127.0.0.99", connectTo(1), refused);
    expect(answer).toContain("403");
    expect(await decided(1)).toMatchObject([{ instanceId: "address 127.0.0.99", sandboxId: null, decision: "deny" }]);
  });

  it("cuts connections from where no instance can be", async () => {
    const egress = await open();
    const { answer } = await say(egress, "127.0.1.1", connectTo(1), /./);
    expect(answer).toBe("");
    expect(decisions).toEqual([]);
  });

  it("lets nothing out when it cannot know who asks", async () => {
    const egress = await open({ identify: () => Promise.reject(new Error("database away")) });
    expect((await say(egress, "127.0.0.11", connectTo(1), /./)).answer).toBe("");
  });

  it("asks again for each connection: an address that changed hands is its new sandbox's", async () => {
    const egress = await open();
    addresses.set("127.0.0.11", first);
    const port = await echo();
    (await say(egress, "127.0.0.11", `${connectTo(port)}x`, /x$/)).socket.destroy();
    addresses.set("127.0.0.11", second);
    expect((await say(egress, "127.0.0.11", connectTo(port), refused)).answer).toContain("deny-all");
  });

  it("counts an instance's connections together, and each instance's apart", async () => {
    const egress = await open();
    const third: EgressSource = {
      instanceId: "i3",
      identity: { sandboxId: "s3", projectId: "p1", network: aNetwork(), brokered: [] },
    };
    addresses.set("127.0.0.11", first).set("127.0.0.13", third);
    const port = await echo();
    const held = [
      await say(egress, "127.0.0.11", `${connectTo(port)}1`, /1$/),
      await say(egress, "127.0.0.11", `${connectTo(port)}2`, /2$/),
    ];
    expect((await say(egress, "127.0.0.11", connectTo(port), refused)).answer).toContain("2 open connections");
    held.push(await say(egress, "127.0.0.13", `${connectTo(port)}3`, /3$/));
    for (const { socket } of held) socket.destroy();
  });

  it("asks again for each request of a kept connection: one that outlives its sandbox is of no use", async () => {
    const egress = await open();
    addresses.set("127.0.0.11", first);
    const server = createServer((_, res) => res.end("from outside")).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(async () => server.close());
    const get = `GET http://files.example:${(server.address() as AddressInfo).port}/ HTTP/1.1\r\nHost: x\r\n\r\n`;
    const { socket } = await say(egress, "127.0.0.11", get, /from outside/);
    addresses.set("127.0.0.11", { instanceId: "i1", identity: undefined });
    const answer = once(socket, "data");
    socket.write(get);
    expect(String((await answer)[0])).toContain("403");
    socket.destroy();
  });

  it("limits the connections of one address although they ask for nothing, and nobody else's", async () => {
    const egress = await open();
    addresses.set("127.0.0.12", second);
    const silent = Array.from({ length: 5 }, () => {
      const socket = connect({ host: "127.0.0.1", port: egress.port, localAddress: "127.0.0.11" });
      return socket.on("error", () => {});
    });
    await Promise.race(silent.map((socket) => once(socket, "close")));
    for (const socket of silent) if (socket.connecting) await once(socket, "connect");
    expect(silent.filter((socket) => !socket.destroyed)).toHaveLength(4);
    expect((await say(egress, "127.0.0.12", connectTo(1), refused)).answer).toContain("deny-all");
    for (const socket of silent) socket.destroy();
  });

  it("limits the connections of all together", async () => {
    const egress = await open({ maxConnections: 1 });
    addresses.set("127.0.0.11", first).set("127.0.0.12", second);
    const held = await say(egress, "127.0.0.11", `${connectTo(await echo())}1`, /1$/);
    expect((await say(egress, "127.0.0.12", connectTo(1), /./)).answer).toBe("");
    held.socket.destroy();
  });

  it("drains without waiting for kept connections that are idle", async () => {
    const egress = await open();
    addresses.set("127.0.0.11", first);
    const server = createServer((_, res) => res.end("from outside")).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(async () => server.close());
    const get = `GET http://files.example:${(server.address() as AddressInfo).port}/ HTTP/1.1\r\nHost: x\r\n\r\n`;
    const { socket } = await say(egress, "127.0.0.11", get, /from outside/);
    const ended = once(socket, "close");
    const startedAt = Date.now();
    await egress.close(60_000);
    await ended;
    expect(Date.now() - startedAt).toBeLessThan(5_000);
  });

  it("drains: accepts nothing more, lets tunnels go on for a while, then ends them", async () => {
    const egress = await open();
    addresses.set("127.0.0.11", first);
    const { socket } = await say(egress, "127.0.0.11", `${connectTo(await echo())}a`, /a$/);
    const closing = egress.close(400);
    const echoed = once(socket, "data");
    socket.write("still");
    expect(String((await echoed)[0])).toBe("still");
    expect((await say(egress, "127.0.0.11", "", /./)).answer).toBe("");
    const cut = once(socket, "close");
    await closing;
    await cut;
    expect(socket.destroyed).toBe(true);
  });
});
