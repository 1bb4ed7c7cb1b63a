import type { IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { makeWorld, sandboxId, token, type World } from "./support.ts";

let world: World;
let server: WebSocketServer;
let upgrades: IncomingMessage[] = [];

beforeEach(async () => {
  upgrades = [];
  world = await makeWorld((_, res) => {
    res.writeHead(404, { "Content-Type": "application/json" });
    res.end('{"code":"RESOURCE_NOT_FOUND"}');
  });
  server = new WebSocketServer({ noServer: true, perMessageDeflate: { threshold: 0 } });
  world.agent.on("upgrade", (req, socket, head) => {
    upgrades.push(req);
    if (req.url === "/refused") {
      socket.end("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
      return;
    }
    if (req.url === "/dead") {
      socket.destroy();
      return;
    }
    server.handleUpgrade(req, socket, head, (client) => {
      client.on("message", (data: Buffer, isBinary) => client.send(data, { binary: isBinary }));
      if (req.url === "/burst") for (let index = 0; index < 200; index += 1) client.send(String(index));
    });
  });
});
afterEach(async () => {
  for (const client of server.clients) client.terminate();
  await world.end();
});

function dial(path: string, headers: Record<string, string> = { authorization: token }): WebSocket {
  const client = new WebSocket(`ws://127.0.0.1:${world.port}${path}`, { headers });
  client.on("error", () => {});
  return client;
}

const opened = (client: WebSocket) => new Promise<void>((resolve) => client.once("open", () => resolve()));
const closed = (client: WebSocket) => new Promise<number>((resolve) => client.once("close", (code) => resolve(code)));
const refusal = (client: WebSocket) =>
  new Promise<{ status: number | undefined; body: string; id: unknown }>((resolve) => {
    client.once("unexpected-response", (_, res) => {
      let body = "";
      res.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      res.on("end", () => resolve({ status: res.statusCode, body, id: res.headers["x-request-id"] }));
    });
  });

describe("WebSockets", () => {
  it.each(["/terminal", `/s/${sandboxId}/terminal`])(
    "passes %s through with compression negotiated end to end",
    async (path) => {
      const client = dial(path);
      await opened(client);
      expect(client.extensions).toContain("permessage-deflate");
      const answer = new Promise((resolve) => client.once("message", (data: Buffer) => resolve(data.toString())));
      client.send('{"type":"input","data":"ls"}');
      expect(await answer).toBe('{"type":"input","data":"ls"}');
      expect(upgrades[0]?.url).toBe("/terminal");
      expect(upgrades[0]?.headers).not.toHaveProperty("authorization");
      client.close(1000);
      expect(await closed(client)).toBe(1000);
    },
  );

  it("passes every frame of a burst, in order", async () => {
    const client = dial("/burst");
    const got: string[] = [];
    await new Promise<void>((resolve) => {
      client.on("message", (data: Buffer) => {
        got.push(data.toString());
        if (got.length === 200) resolve();
      });
    });
    expect(got).toEqual(Array.from({ length: 200 }, (_, index) => String(index)));
    client.terminate();
  });

  it("carries 16 MiB both ways unchanged", async () => {
    const client = dial("/echo");
    await opened(client);
    const body = Buffer.alloc(16 << 20, "bulkhead");
    const answer = new Promise<Buffer>((resolve) => client.once("message", (data: Buffer) => resolve(data)));
    client.send(body);
    expect((await answer).equals(body)).toBe(true);
    client.terminate();
  });

  it("refuses without a good token: 401 and a typed body", async () => {
    const { status, body, id } = await refusal(dial("/terminal", {}));
    expect(status).toBe(401);
    expect(JSON.parse(body)).toMatchObject({ code: "AUTHENTICATION_REQUIRED", request_id: id });
    expect((await refusal(dial("/terminal", { authorization: "Bearer forged" }))).status).toBe(401);
    expect(upgrades).toEqual([]);
  });

  it("passes the agent's own refusal on", async () => {
    expect(await refusal(dial("/refused"))).toMatchObject({ status: 404, body: "{}" });
  });

  it("answers 503 when the agent breaks the connection, having tried twice", async () => {
    expect((await refusal(dial("/dead"))).status).toBe(503);
    expect(upgrades).toHaveLength(2);
  });

  it("lets each end's sudden death end the other", async () => {
    const first = dial("/echo");
    await opened(first);
    const [agentSide] = server.clients;
    if (agentSide === undefined) throw new Error("no client");
    const agentClosed = closed(agentSide);
    first.terminate();
    await agentClosed;
    const second = dial("/echo");
    await opened(second);
    const clientClosed = closed(second);
    for (const client of server.clients) client.terminate();
    expect(await clientClosed).toBe(1006);
  });

  it("ends open ones when the gateway closes", async () => {
    const client = dial("/echo");
    await opened(client);
    const end = closed(client);
    await world.gateway.close(20);
    expect(await end).toBe(1006);
  });

  it("takes a preview's cookie and asks for its port", async () => {
    const client = dial(`/p/${sandboxId}/3000/hmr`, { cookie: `bulkhead_token=${sandboxId}/1` });
    await opened(client);
    expect(upgrades[0]?.headers).toMatchObject({ "x-bulkhead-port": "3000" });
    expect(upgrades[0]?.headers).not.toHaveProperty("cookie");
    client.terminate();
  });
});
