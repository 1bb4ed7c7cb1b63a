import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { expect, it } from "vitest";
import { proxyUpgrade } from "#agent/port-proxy.ts";
import { until } from "./agent-process.ts";

const head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

it("delivers the last bytes of a user's WebSocket server that has ended to a slow reader", async () => {
  let outward: Duplex | undefined;
  let sent = head.length;
  let ended = false;
  /** Until the kernel takes no more and the last bytes stay with the agent. */
  async function fill(socket: Socket): Promise<void> {
    socket.write(head);
    while (outward?.writableLength === 0) {
      sent += 4096;
      await new Promise((resolve) => socket.write(Buffer.alloc(4096, 1), resolve));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    socket.end();
  }
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {}).once("data", () => void fill(socket));
    socket.on("close", () => {
      ended = true;
    });
  });
  const agent = createHttpServer().on("upgrade", (req, socket, first) => {
    outward = socket;
    void proxyUpgrade(req, socket, first, String((server.address() as AddressInfo).port), () => {});
  });
  for (const each of [server, agent]) await once(each.listen(0, "127.0.0.1"), "listening");
  const client = connect({ port: (agent.address() as AddressInfo).port, host: "127.0.0.1" }).on("error", () => {});
  try {
    client.pause();
    client.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    await until(() => ended, 30_000);
    let received = 0;
    client.on("data", (data: Buffer) => (received += data.length)).resume();
    await once(client, "close");
    expect(received).toBe(sent);
  } finally {
    client.destroy();
    server.close();
    agent.close();
  }
});
