import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { startRelay } from "#agent/relay.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { until } from "./agent-process.ts";

const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function proxyOn(port: number, onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.push(socket);
    onSocket(socket.on("error", () => {}));
  });
  servers.push(server);
  await once(server.listen(port, "127.0.0.1"), "listening");
  return server;
}

async function relayTo(host: string, port: number): Promise<Server> {
  const relay = startRelay(0, { host, port }, noopLogger);
  servers.push(relay);
  await once(relay, "listening");
  return relay;
}

function dial(relay: Server): Socket {
  const socket = connect({ port: portOf(relay), host: "127.0.0.1", allowHalfOpen: true });
  sockets.push(socket);
  return socket.on("error", () => {});
}

async function asked(relay: Server): Promise<string> {
  const socket = dial(relay).setEncoding("utf8");
  let text = "";
  socket.on("data", (data) => (text += String(data)));
  socket.end("ask");
  await once(socket, "close");
  return text;
}

describe("the relay to the egress proxy", () => {
  it("finds the proxy again after it was away", async () => {
    const first = await proxyOn(0, (socket) => socket.once("data", () => socket.end("first")));
    const port = portOf(first);
    const relay = await relayTo("localhost", port);
    expect(await asked(relay)).toBe("first");
    first.close();
    await once(first, "close");
    expect(await asked(relay)).toBe("");
    await proxyOn(port, (socket) => socket.once("data", () => socket.end("second")));
    expect(await asked(relay)).toBe("second");
  });

  it("closes a connection whose proxy has no address, and goes on", async () => {
    const relay = await relayTo("nowhere.invalid", 3128);
    expect(await asked(relay)).toBe("");
    expect(await asked(relay)).toBe("");
    expect(relay.listening).toBe(true);
  });

  it("keeps no connection to the proxy whose user has gone", async () => {
    let closed = 0;
    const proxy = await proxyOn(0, (socket) => {
      socket.resume().on("end", () => socket.end());
      socket.on("close", () => (closed += 1));
    });
    const relay = await relayTo("127.0.0.1", portOf(proxy));
    const socket = dial(relay);
    socket.write("ask");
    await until(() => sockets.length === 2);
    socket.resetAndDestroy();
    await until(() => closed === 1);
  });

  it("delivers an answer to its last byte when both ends have said all and the reader is slow", async () => {
    let inner: Socket | undefined;
    let sent = 0;
    const proxy = await proxyOn(0, (socket) => {
      socket.resume();
      socket.once("end", () => void fill(socket));
    });
    const relay = await relayTo("127.0.0.1", portOf(proxy));
    relay.on("connection", (socket) => {
      inner = socket;
    });
    /** Until the kernel takes no more and the last bytes stay with the relay. */
    async function fill(socket: Socket): Promise<void> {
      while (inner?.writableLength === 0) {
        sent += 4096;
        await new Promise((resolve) => socket.write(Buffer.alloc(4096, 1), resolve));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      socket.end();
    }
    const client = dial(relay);
    client.pause();
    client.end("ask");
    await until(() => inner?.writableEnded === true || inner?.destroyed === true, 30_000);
    await until(() => sockets.some((socket) => socket !== client && socket.writableFinished));
    let received = 0;
    client.on("data", (data: Buffer) => (received += data.length)).resume();
    await once(client, "close");
    expect(received).toBe(sent);
  });
});
