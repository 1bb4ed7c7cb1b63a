import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeAgentBridge } from "#bridge/agent-bridge.ts";
import type { Endpoint } from "#core/model.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";

const bridge = makeAgentBridge({ tls: "never", clock: systemClock, logger: noopLogger });
const warm = { state: "warm", last_activity_at: 1, active_executions: 0 };
const activation = {
  ...{ sandbox_id: "s", env: {}, lease: { lifetime_at: 1, idle_ms: 1 }, internet_access: false },
  resources: { vcpu: 1, memory_mb: 64, disk_mb: 16 },
};

let directory = "";
let server: Server;
beforeEach(() => {
  directory = mkdtempSync("/tmp/bh-bridge-");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function agentThat(listener: RequestListener): Promise<Endpoint> {
  server = createServer(listener);
  const path = `${directory}/agent.sock`;
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { kind: "unix", path };
}

describe("makeAgentBridge", () => {
  it("activates, renews and asks for the state", async () => {
    const seen: string[] = [];
    const endpoint = await agentThat((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on("end", () => {
        seen.push(`${request.method ?? ""} ${request.url ?? ""} ${body.slice(0, 14)}`);
        response.end(JSON.stringify(warm));
      });
    });
    await bridge.activate(endpoint, activation);
    expect(await bridge.renew(endpoint, activation.lease)).toEqual(warm);
    expect(await bridge.health(endpoint, 1000)).toEqual(warm);
    expect(seen[0]).toBe('POST /_bulkhead/activate {"sandbox_id":');
    expect(seen[1]).toBe('POST /_bulkhead/lease {"lifetime_at"');
  });

  it("quotes nothing of an environment that it cannot read", async () => {
    const endpoint = await agentThat((_, response) => response.end('{"env": {"KEY": hunter2}}'));
    const thrown = await bridge.env(endpoint).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "AGENT_UNREACHABLE" });
    expect(inspect(thrown, { depth: 9 })).not.toContain("hunter2");
  });

  it("tells of an instance that belongs to another sandbox", async () => {
    const endpoint = await agentThat((_, response) => response.writeHead(409).end("{}"));
    await expect(bridge.activate(endpoint, activation)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it.each<[string, RequestListener]>([
    ["fails", (_, response) => response.writeHead(500).end("{}")],
    ["answers nonsense", (_, response) => response.end("<html>")],
    ["answers another shape", (_, response) => response.end('{"state":"mine"}')],
    ["sends without end", (_, response) => void setInterval(() => response.write("x".repeat(9999)), 1).unref()],
    ["hangs up", (request) => request.destroy()],
    [
      "hangs up in the middle",
      (_, response) => void response.writeHead(200, { "content-length": 99 }).write("{", () => response.destroy()),
    ],
    ["is silent", () => {}],
  ])("does not trust an agent that %s", async (_name, listener) => {
    const endpoint = await agentThat(listener);
    await expect(bridge.health(endpoint, 300)).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
  });

  it("says that nobody listens", async () => {
    await agentThat(() => {});
    const endpoint: Endpoint = { kind: "unix", path: `${directory}/none.sock` };
    await expect(bridge.activate(endpoint, activation)).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
  });
});
