import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { envResponseSchema } from "#contracts/agent/env.ts";
import {
  healthResponseSchema,
  infoResponseSchema,
  pingResponseSchema,
  processesResponseSchema,
  rootResponseSchema,
  systemResponseSchema,
} from "#contracts/agent/info.ts";
import { agentExitCodes, agentStateSchema } from "#contracts/agent-control.ts";
import { type AgentProcess, readAnswer, startAgent } from "./agent-process.ts";

let agent: AgentProcess;
beforeAll(async () => {
  agent = await startAgent();
});
afterAll(() => agent.stop());

function listen(server: Server, where: { port: number; host: string } | string): Promise<void> {
  return new Promise((resolve) => {
    if (typeof where === "string") server.listen(where, resolve);
    else server.listen(where.port, where.host, resolve);
  });
}

const portSchema = z.object({ port: z.number() });
const portOf = (server: Server): number =>
  portSchema.parse(server.address() satisfies AddressInfo | string | null).port;

function activation(lease: Readonly<Record<string, number>> = {}, id = "s1") {
  return {
    sandbox_id: id,
    env: { SECRET: "s" },
    lease: { lifetime_at: Date.now() + 3_600_000, idle_ms: 3_600_000, ...lease },
    internet_access: true,
    resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
  };
}

describe("facts", () => {
  it.each([
    ["/", rootResponseSchema],
    ["/health", healthResponseSchema],
    ["/info", infoResponseSchema],
    ["/ping", pingResponseSchema],
    ["/system", systemResponseSchema],
    ["/processes", processesResponseSchema],
  ])("%s answers as the contract says", async (path, schema) => {
    const { status, headers, body } = await agent.ask("GET", path);
    expect(status).toBe(200);
    expect(headers["x-request-id"]).toMatch(/^req_/);
    expect(schema.safeParse(body).error).toBeUndefined();
  });
});

describe("bad requests", () => {
  it.each([
    ["POST", "/execute", "{", 400, "INVALID_JSON"],
    ["POST", "/execute", "", 400, "MISSING_PARAMETER"],
    ["POST", "/execute", '{"code":1}', 400, "INVALID_REQUEST"],
    ["POST", "/execute", `{"code":"${"x".repeat(8 * 1024 * 1024)}"}`, 413, "PAYLOAD_TOO_LARGE"],
    ["GET", "/execute", undefined, 405, "METHOD_NOT_ALLOWED"],
    ["GET", "/no/such", undefined, 404, "RESOURCE_NOT_FOUND"],
    ["POST", "/execute/background", "{}", 400, "MISSING_PARAMETER"],
    ["GET", "/desktop/vnc/status", undefined, 400, "DESKTOP_NOT_AVAILABLE"],
    ["PUT", "/env", '{"env_vars":{"A":1}}', 400, "INVALID_REQUEST"],
  ])("%s %s is refused with a typed error", async (method, path, body, status, code) => {
    const answer = await agent.ask(method, path, body, { "x-request-id": "req_mine" });
    expect([answer.status, answer.body["code"]]).toEqual([status, code]);
    expect(answer.body).toMatchObject({ request_id: "req_mine", error: answer.body["message"], details: {} });
  });

  it("takes the length of an oversize body from the header, before it has come", async () => {
    const sent = agent.open({ method: "POST", path: "/execute", headers: { "content-length": "99999999999" } });
    sent.on("error", () => {});
    const status = new Promise((resolve) => sent.on("response", (answer) => resolve(answer.statusCode)));
    sent.flushHeaders();
    expect(await status).toBe(413);
    sent.destroy();
  });
});

describe("env", () => {
  it("is set, merged, replaced and cleared, values unmasked", async () => {
    const vars = async (method: string, body?: unknown) =>
      envResponseSchema.parse((await agent.ask(method, "/env", body)).body).env_vars;
    expect(await vars("PUT", { env_vars: { API_KEY: "k", B: "1" } })).toEqual({ API_KEY: "k", B: "1" });
    expect(await vars("PATCH", { env_vars: { B: "2" }, merge: true })).toEqual({ API_KEY: "k", B: "2" });
    expect(await vars("GET")).toEqual({ API_KEY: "k", B: "2" });
    expect(await vars("PUT", { env_vars: { C: "" } })).toEqual({ C: "" });
    expect(await vars("DELETE")).toEqual({});
  });
});

describe("an instance's life", () => {
  let own: AgentProcess | undefined;
  afterEach(async () => {
    await own?.stop();
    own = undefined;
  });

  it("is given to one sandbox, and ends by itself at the deadline", async () => {
    own = await startAgent();
    expect(agentStateSchema.parse((await own.ask("GET", "/_bulkhead/state")).body).state).toBe("warm");
    expect((await own.ask("POST", "/_bulkhead/activate", activation())).body).toMatchObject({ state: "active" });
    expect((await own.ask("POST", "/_bulkhead/activate", activation({}, "s2"))).status).toBe(409);
    expect((await own.ask("GET", "/env")).body).toMatchObject({ env_vars: { SECRET: "s" } });
    const exited = new Promise((resolve) => own?.process.on("exit", resolve));
    await own.ask("POST", "/_bulkhead/lease", { ...activation().lease, timeout_at: Date.now() + 200 });
    expect(await exited).toBe(agentExitCodes.timeout);
  });

  it("ends when it is idle, in the middle of nothing", async () => {
    own = await startAgent();
    const exited = new Promise((resolve) => own?.process.on("exit", resolve));
    await own.ask("POST", "/_bulkhead/activate", activation({ idle_ms: 100 }));
    expect(await exited).toBe(agentExitCodes.idle);
  });
});

describe("ports of the sandbox", () => {
  let web: HttpServer;
  let port: string;
  beforeAll(async () => {
    web = createHttpServer((req, res) => {
      if (req.url === "/hang-up") {
        res.destroy();
        return;
      }
      res.writeHead(201, { "set-cookie": ["a=1", "b=2"], "x-asked-for": `${req.method ?? ""} ${req.url ?? ""}` });
      req.pipe(res);
    });
    web.on("upgrade", (req, socket) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n${req.url ?? ""};`);
      socket.pipe(socket);
    });
    await listen(web, { port: 0, host: "127.0.0.1" });
    port = String(portOf(web));
  });
  afterAll(() => {
    web.closeAllConnections();
    web.close();
  });

  it("get requests whole and answer whole", async () => {
    const answer = await agent.ask("POST", "/_bulkhead/state?x=1", "body", { "x-bulkhead-port": port });
    expect(answer.status).toBe(201);
    expect(answer.text).toBe("body");
    expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(answer.headers["x-asked-for"]).toBe("POST /_bulkhead/state?x=1");
  });

  it("answer 4xx when nothing listens, or the server breaks off", async () => {
    const none = await agent.ask("GET", "/", undefined, { "x-bulkhead-port": "1" });
    expect([none.status, none.body["code"]]).toEqual([404, "RESOURCE_NOT_FOUND"]);
    const broken = await agent.ask("GET", "/hang-up", undefined, { "x-bulkhead-port": port });
    expect([broken.status, broken.body["code"]]).toEqual([400, "INVALID_REQUEST"]);
    expect((await agent.ask("GET", "/", undefined, { "x-bulkhead-port": "70000" })).status).toBe(400);
  });

  it("can be upgraded to", async () => {
    const sent = agent.open({
      path: "/socket",
      headers: { connection: "upgrade", upgrade: "echo", "x-bulkhead-port": port },
    });
    sent.end();
    const seen = await new Promise<string>((resolve, reject) => {
      sent.on("error", reject);
      sent.on("upgrade", (_answer, socket, head) => {
        let text = head.toString();
        socket.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          if (text.endsWith("ping")) resolve(text);
        });
        socket.on("end", () => socket.destroy());
        socket.write("ping");
      });
    });
    expect(seen).toBe("/socket;ping");
  });

  it("are beside the agent's own sockets the only thing that can be upgraded to", async () => {
    const sent = agent.open({ path: "/execute", headers: { connection: "upgrade", upgrade: "websocket" } });
    sent.end();
    const answer = await new Promise((resolve, reject) => {
      sent.on("error", reject);
      sent.on("response", (message) => resolve(readAnswer(message)));
    });
    expect(answer).toMatchObject({ status: 404, body: { code: "RESOURCE_NOT_FOUND" } });
  });
});

describe("the way out", () => {
  it("is a byte pipe from a loopback port to the proxy's socket, half-closes included", async () => {
    const free = createServer();
    await listen(free, { port: 0, host: "127.0.0.1" });
    const port = portOf(free);
    await new Promise((resolve) => free.close(resolve));
    const proxy = createServer({ allowHalfOpen: true }, (socket) => {
      let heard = "";
      socket.on("data", (chunk) => {
        heard += chunk.toString();
      });
      socket.on("end", () => socket.end(`heard ${heard}`));
    });
    const path = join(agent.directory, "egress.sock");
    await listen(proxy, path);
    const own = await startAgent({ BULKHEAD_EGRESS_SOCKET: path, BULKHEAD_EGRESS_PORT: String(port) });
    try {
      const env = await own.ask("POST", "/commands/run", { command: "echo $HTTPS_PROXY", workdir: own.directory });
      expect(env.body["stdout"]).toBe(`http://127.0.0.1:${port}\n`);
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
        let text = "";
        socket.on("data", (chunk) => {
          text += chunk.toString();
        });
        socket.on("end", () => resolve(text));
        socket.on("error", reject);
        socket.end("CONNECT");
      });
      expect(answer).toBe("heard CONNECT");
    } finally {
      await own.stop();
      proxy.close();
    }
  });
});
