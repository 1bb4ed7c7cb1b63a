import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { selfSigned } from "#agent/tls/self-signed.ts";
import type { GatewayOptions } from "#gateway/ports.ts";
import { aTarget } from "../../unit/gateway/support.ts";
import { makeWorld, token, type World } from "./support.ts";

const { key, cert } = selfSigned("i0123456789abcdef", Date.now());
const fingerprint = new X509Certificate(cert).fingerprint256.replaceAll(":", "").toLowerCase();

let agent: Server;
let seen: string[] = [];
let connections = 0;
const worlds: World[] = [];

beforeEach(async () => {
  seen = [];
  connections = 0;
  agent = createServer({ key, cert }, (req, res) => {
    seen.push(req.url ?? "");
    res.end("from the agent");
  });
  agent.on("secureConnection", () => {
    connections += 1;
  });
  const sockets = new WebSocketServer({ noServer: true });
  agent.on("upgrade", (req, socket, head) => {
    seen.push(req.url ?? "");
    sockets.handleUpgrade(req, socket, head, (client) => client.on("message", (data) => client.send(data)));
  });
  agent.listen(0, "127.0.0.1");
  await once(agent, "listening");
});
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.end();
  agent.closeAllConnections();
  agent.close();
});

async function gatewayTo(pinned: string | undefined, options: GatewayOptions = {}): Promise<World> {
  const world = await makeWorld((_, res) => res.end("not this one"), options);
  worlds.push(world);
  const { port } = agent.address() as AddressInfo;
  world.target = aTarget({
    endpoint: { kind: "tcp", host: "127.0.0.1", port, ...(pinned !== undefined && { fingerprint: pinned }) },
  });
  return world;
}

const headers = { authorization: token };

describe("an agent with a certificate of its own", () => {
  it("is reached when it shows the certificate it is known by, over kept connections", async () => {
    const world = await gatewayTo(fingerprint);
    for (let turn = 0; turn < 3; turn += 1) {
      expect((await world.ask("/info", { headers })).body.toString()).toBe("from the agent");
    }
    expect(connections).toBe(1);
  });

  it("gets no byte of a request when it shows another certificate", async () => {
    const world = await gatewayTo("00".repeat(32));
    const answer = await world.ask("/execute", { method: "POST", headers, body: "secret" });
    expect(answer.status).toBe(503);
    expect(answer.json()).toMatchObject({ code: "AGENT_UNREACHABLE" });
    expect(seen).toEqual([]);
  });

  it("does not lend its kept connection to another fingerprint at the same address", async () => {
    const world = await gatewayTo(fingerprint);
    expect((await world.ask("/info", { headers })).status).toBe(200);
    const { target } = world;
    if (target?.endpoint?.kind !== "tcp") throw new Error("no endpoint");
    world.target = { ...target, endpoint: { ...target.endpoint, fingerprint: "11".repeat(32) } };
    expect((await world.ask("/info", { headers })).status).toBe(503);
  });

  it("is not reached at an address where no agent can be", async () => {
    const world = await gatewayTo(fingerprint, { isAgentHost: (host) => host.startsWith("10.") });
    expect((await world.ask("/info", { headers })).status).toBe(503);
    expect(connections).toBe(0);
  });

  it("serves WebSockets, and none to a wrong fingerprint", async () => {
    const dial = (world: World) => {
      const client = new WebSocket(`ws://127.0.0.1:${world.port}/terminal`, { headers });
      client.on("error", () => {});
      return client;
    };
    const client = dial(await gatewayTo(fingerprint));
    await once(client, "open");
    client.send("hello");
    const [data] = (await once(client, "message")) as [Buffer];
    expect(data.toString()).toBe("hello");
    client.close();
    await once(client, "close");
    const refused = dial(await gatewayTo("22".repeat(32)));
    const [, answer] = (await once(refused, "unexpected-response")) as [unknown, { statusCode?: number }];
    expect(answer.statusCode).toBe(503);
    expect(seen).toEqual(["/terminal"]);
  });
});
