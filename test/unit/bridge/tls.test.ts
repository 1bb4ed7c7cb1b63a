import { X509Certificate } from "node:crypto";
import { createServer as createPlainServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { selfSigned } from "#agent/tls/self-signed.ts";
import { makeAgentBridge } from "#bridge/agent-bridge.ts";
import { inAddressRange } from "#core/address-range.ts";
import type { Endpoint } from "#core/model.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";

type TcpEndpoint = Extract<Endpoint, { kind: "tcp" }>;

const bridge = makeAgentBridge({ tls: "required", clock: systemClock, logger: noopLogger });
const warm = { state: "warm", last_activity_at: 1, active_executions: 0 };
const lease = { lifetime_at: 1, idle_ms: 1 };
const activation = {
  ...{ sandbox_id: "s", env: { KEY: "value" }, lease, internet_access: false },
  resources: { vcpu: 1, memory_mb: 64, disk_mb: 16 },
};

interface Identity {
  readonly key: string;
  readonly cert: string;
  readonly fingerprint: string;
}

const first = makeIdentity("first");
const second = makeIdentity("second");
const open: NetServer[] = [];

afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

function makeIdentity(name: string): Identity {
  const made = selfSigned(name, Date.now());
  const { fingerprint256 } = new X509Certificate(made.cert);
  return { ...made, fingerprint: fingerprint256.replaceAll(":", "").toLowerCase() };
}

interface TlsAgent {
  readonly endpoint: TcpEndpoint;
  /** Requests that arrived, by path. */
  readonly seen: string[];
  readonly server: Server;
}

async function agentWith(identity: Identity, answer: object = warm, port = 0): Promise<TlsAgent> {
  const seen: string[] = [];
  const server = createServer({ key: identity.key, cert: identity.cert }, (request, response) => {
    seen.push(request.url ?? "");
    response.end(JSON.stringify(answer));
  });
  open.push(server);
  return { endpoint: await listen(server, port), seen, server };
}

async function listen(server: NetServer, port = 0): Promise<TcpEndpoint> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { kind: "tcp", host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

describe("the bridge over TLS", () => {
  it("learns the certificate at the first contact, and overwrites what the agent says of it", async () => {
    const agent = await agentWith(first, { ...warm, certificate_fingerprint: "f".repeat(64) });
    expect(await bridge.health(agent.endpoint, 2_000)).toEqual({ ...warm, certificate_fingerprint: first.fingerprint });
  });

  it("leaves out what an agent without TLS says of a certificate", async () => {
    const server = createPlainServer((_, response) =>
      response.end(JSON.stringify({ ...warm, certificate_fingerprint: "f".repeat(64) })),
    );
    open.push(server);
    const plain = makeAgentBridge({ tls: "never", clock: systemClock, logger: noopLogger });
    expect(await plain.health(await listen(server), 2_000)).toEqual(warm);
  });

  it("speaks to the agent whose certificate it knows, in any spelling", async () => {
    const agent = await agentWith(first);
    const spelled = first.fingerprint.toUpperCase().replaceAll(/(..)(?=.)/g, "$1:");
    for (const fingerprint of [first.fingerprint, spelled]) {
      await bridge.activate({ ...agent.endpoint, fingerprint }, activation);
      await bridge.renew({ ...agent.endpoint, fingerprint }, lease);
      await bridge.health({ ...agent.endpoint, fingerprint }, 2_000);
    }
    expect(agent.seen).toHaveLength(6);
  });

  it("sends not a byte of a request to whoever shows another certificate", async () => {
    const imposter = await agentWith(second);
    const received: Buffer[] = [];
    imposter.server.on("secureConnection", (socket: Socket) =>
      socket.on("data", (chunk: Buffer) => received.push(chunk)),
    );
    const endpoint = { ...imposter.endpoint, fingerprint: first.fingerprint };
    for (const call of [
      () => bridge.activate(endpoint, activation),
      () => bridge.renew(endpoint, lease),
      () => bridge.health(endpoint, 1_000),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: "AGENT_UNREACHABLE",
        details: { why: "another certificate than before" },
      });
    }
    expect(imposter.seen).toEqual([]);
    expect(Buffer.concat(received).toString()).toBe("");
  });

  it("gives nothing to an agent that it has not met", async () => {
    const agent = await agentWith(first);
    const refused = { code: "AGENT_UNREACHABLE", details: { why: "the agent's certificate is not known" } };
    await expect(bridge.activate(agent.endpoint, activation)).rejects.toMatchObject(refused);
    await expect(bridge.renew(agent.endpoint, lease)).rejects.toMatchObject(refused);
    expect(agent.seen).toEqual([]);
  });

  it("does not speak in the clear where TLS is required", async () => {
    const server = createPlainServer((_, response) => response.end(JSON.stringify(warm)));
    open.push(server);
    await expect(bridge.health(await listen(server), 500)).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
    const unix: Endpoint = { kind: "unix", path: "/run/agent.sock" };
    await expect(bridge.health(unix, 500)).rejects.toMatchObject({ details: { why: "an agent without TLS" } });
  });

  it("does not speak in the clear to an agent that once had a certificate", async () => {
    const plain = makeAgentBridge({ tls: "never", clock: systemClock, logger: noopLogger });
    const endpoint: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 1, fingerprint: first.fingerprint };
    await expect(plain.activate(endpoint, activation)).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
  });
});

describe("health", () => {
  it("waits for an agent that does not listen yet", async () => {
    const reserved = createPlainServer();
    const { port } = await listen(reserved);
    await new Promise((resolve) => reserved.close(resolve));
    const endpoint: Endpoint = { kind: "tcp", host: "127.0.0.1", port };
    const answer = bridge.health(endpoint, 8_000);
    await systemClock.sleep(300);
    await agentWith(first, warm, port);
    expect(await answer).toMatchObject({ certificate_fingerprint: first.fingerprint });
  });

  it("gives up at its deadline", async () => {
    const closed = createPlainServer();
    const endpoint = await listen(closed);
    await new Promise((resolve) => closed.close(resolve));
    const start = Date.now();
    await expect(bridge.health(endpoint, 600)).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
    expect(Date.now() - start).toBeGreaterThanOrEqual(500);
  });

  it("does not wait for what is not going to come: activate fails at once", async () => {
    const closed = createPlainServer();
    const endpoint = { ...(await listen(closed)), fingerprint: first.fingerprint };
    await new Promise((resolve) => closed.close(resolve));
    const start = Date.now();
    await expect(bridge.activate(endpoint, activation)).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
    expect(Date.now() - start).toBeLessThan(5_000);
  });
});

describe("the address range", () => {
  it("keeps the bridge from connecting anywhere else", async () => {
    const agent = await agentWith(first);
    const narrow = makeAgentBridge({
      tls: "required",
      allow: inAddressRange("10.20.0.0/16"),
      clock: systemClock,
      logger: noopLogger,
    });
    await expect(narrow.health(agent.endpoint, 1_000)).rejects.toMatchObject({
      details: { why: "not an address of an agent" },
    });
    expect(agent.seen).toEqual([]);
  });

  it.each([
    ["10.20.0.1", true],
    ["10.20.255.254", true],
    ["10.21.0.1", false],
    ["127.0.0.1", false],
    ["169.254.169.254", false],
    ["::ffff:10.20.0.1", false],
    ["localhost", false],
    ["10.20.0.1.example.com", false],
    ["", false],
  ])("%s: %s", (host, inside) => {
    expect(inAddressRange("10.20.0.0/16")(host)).toBe(inside);
  });

  it.each(["10.20.0.0", "10.20.0.0/16/3", "sandbox/16", "10.20.0.0/", "10.20.0.0/99"])("refuses %s", (text) => {
    expect(() => inAddressRange(text)).toThrow();
  });
});
