import { randomBytes } from "node:crypto";
import { type IncomingMessage, type RequestListener, request, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { makeWorld, sandboxId, token, type World } from "./support.ts";

let world: World | undefined;
afterEach(async () => {
  await world?.end();
  world = undefined;
});

async function start(onRequest: RequestListener, options?: Parameters<typeof makeWorld>[1]): Promise<World> {
  world = await makeWorld(onRequest, options);
  return world;
}

/** Tells what the agent was asked. */
const mirror: RequestListener = (req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    const told = { method: req.method, url: req.url, headers: req.headers, body: Buffer.concat(chunks).toString() };
    res.writeHead(200, { "Content-Type": "application/json" });
    res.end(JSON.stringify(told));
  });
};

describe("passing requests", () => {
  it("finds the sandbox by token at the root and by path, and gives the agent no credential", async () => {
    const { ask } = await start(mirror);
    const headers = {
      authorization: token,
      "x-api-key": "k",
      "x-bulkhead-port": "22",
      "x-forwarded-for": "6.6.6.6",
      "x-kept": "1",
    };
    const byToken = await ask("/execute?a=%20b", { method: "POST", headers, body: "{}" });
    expect(byToken.json()).toMatchObject({
      method: "POST",
      url: "/execute?a=%20b",
      body: "{}",
      headers: { "x-kept": "1" },
    });
    const seen = JSON.stringify(byToken.json());
    for (const secret of ["authorization", "x-api-key", "x-bulkhead", "6.6.6.6"]) expect(seen).not.toContain(secret);
    const byPath = await ask(`/s/${sandboxId}/execute`, { headers: { "x-api-key": "hopx_live_p1_use" } });
    expect(byPath.json()).toMatchObject({ method: "GET", url: "/execute" });
  });

  it("gives every answer the request id the agent saw", async () => {
    const { ask } = await start((req, res) => {
      res.writeHead(200, { "X-Request-ID": "its-own" });
      res.end(req.headers["x-request-id"]);
    });
    const given = await ask("/x", { headers: { authorization: token, "x-request-id": "req_mine" } });
    expect([given.headers["x-request-id"], given.body.toString()]).toEqual(["req_mine", "req_mine"]);
    const made = await ask("/x", { headers: { authorization: token, "x-request-id": "<bad id>" } });
    expect(made.headers["x-request-id"]).toMatch(/^req_/);
    expect(made.body.toString()).toBe(made.headers["x-request-id"]);
    expect((await ask("/x")).headers["x-request-id"]).toMatch(/^req_/);
  });

  it("answers its own health without a token and the agent's with a sandbox named", async () => {
    const { ask, touched } = await start((_, res) => res.end('{"status":"healthy","agent":true}'));
    expect((await ask("/health")).json()).toEqual({ status: "healthy" });
    expect((await ask(`/s/${sandboxId}/health`)).json()).toMatchObject({ agent: true });
    expect(touched).toEqual([]);
    expect((await ask("/health", { headers: { authorization: token } })).json()).toMatchObject({ agent: true });
    expect(touched).toEqual([sandboxId]);
  });

  it("passes empty bodies, chunked bodies and HEAD as they are", async () => {
    const { ask } = await start(mirror);
    const authorization = token;
    const empty = await ask("/x", { method: "POST", headers: { authorization, "content-type": "application/json" } });
    expect(empty.json()).toMatchObject({ body: "", headers: { "content-type": "application/json" } });
    const chunked = await ask("/x", {
      method: "PUT",
      headers: { authorization, "transfer-encoding": "chunked" },
      body: "abc",
    });
    expect(chunked.json()).toMatchObject({ body: "abc", headers: { "transfer-encoding": "chunked" } });
    const deleted = await ask("/x", {
      method: "DELETE",
      headers: { authorization, "content-length": "2" },
      body: "{}",
    });
    expect(deleted.json()).toMatchObject({ method: "DELETE", body: "{}" });
    expect((await ask("/x", { method: "HEAD", headers: { authorization } })).status).toBe(200);
  });

  it("carries 32 MiB up and down unchanged", async () => {
    const { ask } = await start((req, res) => {
      res.writeHead(200);
      req.pipe(res);
    });
    const body = randomBytes(32 << 20);
    const answer = await ask("/x", {
      method: "POST",
      headers: { authorization: token, "content-length": body.length },
      body,
    });
    expect(answer.body.equals(body)).toBe(true);
  });

  it("sends what the agent sends when it sends it: head, then each part", async () => {
    const parts: ServerResponse[] = [];
    const { port } = await start((_, res) => {
      parts.push(res);
      res.writeHead(200);
      res.flushHeaders();
    });
    const req = request({ port, path: "/x", headers: { authorization: token } });
    req.end();
    const res = await new Promise<IncomingMessage>((resolve) => req.once("response", resolve));
    for (const part of ["one", "two"]) {
      parts[0]?.write(part);
      const chunk = await new Promise((resolve) => res.once("data", (data: Buffer) => resolve(data.toString())));
      expect(chunk).toBe(part);
    }
    parts[0]?.end();
  });

  it("never reaches the control plane's paths", async () => {
    let reached = 0;
    const { ask } = await start((_, res) => {
      reached += 1;
      res.end();
    });
    for (const path of [
      "/_bulkhead/lease",
      `/s/${sandboxId}//%5fbulkhead/lease`,
      `/s/${sandboxId}/x/..;/../_bulkhead/lease`,
    ]) {
      expect((await ask(path, { method: "POST", headers: { authorization: token } })).status).toBe(403);
    }
    expect(reached).toBe(0);
  });
});

describe("previews", () => {
  it("asks the agent for the port and tells the server where it stands", async () => {
    const { ask, port } = await start(mirror);
    const answer = await ask(`/p/${sandboxId}/8000/a?b`, { headers: { authorization: token } });
    expect(answer.json()).toMatchObject({
      url: "/a?b",
      headers: {
        "x-bulkhead-port": "8000",
        "x-forwarded-prefix": `/p/${sandboxId}/8000`,
        "x-forwarded-host": `127.0.0.1:${port}`,
        "x-forwarded-for": "127.0.0.1",
      },
    });
  });

  it("turns a token in the address into a cookie, which the server does not get to see", async () => {
    const { ask } = await start(mirror);
    const secret = `${sandboxId}/1`;
    const first = await ask(`/p/${sandboxId}/8000/a?x=1&bulkhead_token=${secret}`);
    expect(first.status).toBe(200);
    expect(first.json()).toMatchObject({ url: "/a?x=1" });
    const cookie = first.headers["set-cookie"]?.[0] ?? "";
    expect(cookie).toMatch(
      new RegExp(`^bulkhead_token=${secret}; Path=/p/${sandboxId}/8000; Max-Age=\\d+; HttpOnly; SameSite=Lax$`),
    );
    const next = await ask(`/p/${sandboxId}/8000/b`, { headers: { cookie: `own=1; bulkhead_token=${secret}` } });
    expect(next.json()).toMatchObject({ url: "/b", headers: { cookie: "own=1" } });
    expect((await ask(`/p/${sandboxId}/8000/b`)).status).toBe(401);
  });

  it("says what callers speak where the hops behind the first say what they speak among themselves", async () => {
    const { ask } = await start(mirror, { trustForwarded: true, callersSpeak: "https" });
    const headers = {
      "x-forwarded-proto": "http",
      "x-forwarded-port": "80",
      "x-forwarded-for": "203.0.113.7",
      "x-forwarded-host": "previews.example.com",
    };
    const answer = await ask(`/p/${sandboxId}/8000/?bulkhead_token=${sandboxId}/1`, { headers });
    expect(answer.json()).toMatchObject({
      headers: { ...headers, "x-forwarded-proto": "https", "x-forwarded-port": "443" },
    });
    expect(answer.headers["set-cookie"]?.[0]).toMatch(/; Secure$/);
  });

  it("keeps redirects of the server inside the preview and its reach off the other previews", async () => {
    const { ask } = await start((_, res) => {
      res.writeHead(302, { Location: "/login", "Service-Worker-Allowed": "/", "Clear-Site-Data": '"*"' });
      res.end();
    });
    const { headers } = await ask(`/p/${sandboxId}/8000/`, { headers: { authorization: token } });
    expect(headers.location).toBe(`/p/${sandboxId}/8000/login`);
    expect(headers).not.toHaveProperty("service-worker-allowed");
    expect(headers).not.toHaveProperty("clear-site-data");
  });
});

describe("refusals", () => {
  it("answers 401 and 403 in the agent's error shape", async () => {
    const { ask } = await start(mirror);
    const missing = await ask("/execute", { method: "POST", body: "{}" });
    expect(missing.status).toBe(401);
    expect(missing.json()).toMatchObject({ code: "AUTHENTICATION_REQUIRED", details: {} });
    expect((await ask("/x", { headers: { authorization: "Bearer forged" } })).json()).toMatchObject({
      code: "TOKEN_INVALID",
    });
    const other = await ask("/s/1763382095i648uu1obb/x", { headers: { authorization: token } });
    expect([other.status, other.json()]).toMatchObject([403, { code: "FORBIDDEN" }]);
  });

  it("counts who is refused for want of a key or token that opens, and nobody else", async () => {
    const { ask, counted } = await start(mirror);
    await ask("/execute", { headers: { authorization: token } });
    await ask("/s/1763382095i648uu1obb/x", { headers: { authorization: token } });
    await ask("/health");
    expect(counted).toEqual([]);
    await ask("/execute");
    await ask("/execute", { headers: { authorization: "Bearer forged" } });
    await ask(`/s/${sandboxId}/x`, { headers: { "x-api-key": "hopx_live_p1_wrong" } });
    expect(counted).toEqual(["RefusedAuth", "RefusedAuth", "RefusedAuth"]);
  });

  it("answers a refused upload although its sender goes on sending", async () => {
    const { ask } = await start(mirror);
    const body = Buffer.alloc(8 << 20);
    expect((await ask("/x", { method: "POST", headers: { "content-length": body.length }, body })).status).toBe(401);
  });

  it("answers 410 with the true end", async () => {
    const { ask, ...rest } = await start(mirror);
    if (world?.target !== undefined) world.target = { ...world.target, status: "deleted", endReason: "idle" };
    const answer = await ask("/x", { headers: { authorization: token } });
    expect(answer.status).toBe(410);
    expect(answer.json()).toMatchObject({
      code: "SANDBOX_EXPIRED",
      sandbox_id: sandboxId,
      status: "deleted",
      end_reason: "idle",
    });
    expect(rest.port).toBeGreaterThan(0);
  });

  it("holds a request until the sandbox runs", async () => {
    const running = await start(mirror);
    const target = running.target;
    if (target === undefined) throw new Error("no target");
    running.target = { ...target, status: "creating", endpoint: null };
    const held = running.ask("/x", { headers: { authorization: token } });
    setTimeout(() => {
      running.target = target;
    }, 60);
    expect((await held).status).toBe(200);
  });

  it("gives a typed answer to what is no HTTP", async () => {
    const { port } = await start(mirror);
    const text = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write("NONSENSE\r\n\r\n"));
      let got = "";
      socket.on("data", (chunk: Buffer) => {
        got += chunk.toString();
      });
      socket.on("close", () => resolve(got));
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 .*"code":"INVALID_REQUEST"/s);
  });
});

describe("broken connections", () => {
  it("does not use a connection again whose request was answered before it was read", async () => {
    const sockets = new Set<unknown>();
    const { ask } = await start((req, res) => {
      sockets.add(req.socket);
      res.end("enough");
    });
    const half = (port: number) =>
      new Promise<Socket>((resolve) => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.once("data", () => resolve(socket));
        socket.write(`POST /x HTTP/1.1\r\nHost: h\r\nAuthorization: ${token}\r\nContent-Length: 100\r\n\r\nhalf`);
      });
    const socket = await half(world?.port ?? 0);
    expect((await ask("/x", { headers: { authorization: token } })).body.toString()).toBe("enough");
    expect(sockets.size).toBe(2);
    socket.destroy();
  });

  it("cuts off a sender that stalls in the middle of a body", async () => {
    const { port } = await start((req) => void req.resume(), { touchEveryMs: 20, uploadStallMs: 40 });
    const socket = connect(port, "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    socket.write(`POST /x HTTP/1.1\r\nHost: h\r\nAuthorization: ${token}\r\nContent-Length: 100\r\n\r\nhalf`);
    await closed;
  });

  it("aborts the agent's request when the caller hangs up", async () => {
    let aborted: () => void = () => {};
    const seen = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    let arrived: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { port } = await start((req) => {
      req.socket.once("close", aborted);
      arrived();
    });
    const req = request({
      port,
      path: "/x",
      method: "POST",
      headers: { authorization: token, "content-length": 2 },
      agent: false,
    });
    req.on("error", () => {});
    req.end("{}");
    await asked;
    req.destroy();
    await seen;
  });

  it("cuts the answer short when the agent dies in the middle of it", async () => {
    const { ask } = await start((_, res) => {
      res.writeHead(200, { "Content-Length": 10 });
      res.write("12345");
      setImmediate(() => res.destroy());
    });
    await expect(ask("/x", { headers: { authorization: token } })).rejects.toThrow();
  });

  it("repeats a request that may be repeated, once, and no other", async () => {
    let count = 0;
    const { ask } = await start((req, res) => {
      count += 1;
      if (count === 1 || req.method === "POST") req.socket.destroy();
      else res.end("ok");
    });
    expect((await ask("/x", { headers: { authorization: token } })).body.toString()).toBe("ok");
    expect(count).toBe(2);
    const posted = await ask("/x", { method: "POST", headers: { authorization: token }, body: "{}" });
    expect([posted.status, posted.json()]).toMatchObject([503, { code: "AGENT_UNREACHABLE", retryable: true }]);
    expect(count).toBe(3);
  });

  it("waits a moment for the record of an agent that died, and tells its end", async () => {
    const dying = await start((req) => {
      req.socket.destroy();
      setTimeout(() => {
        if (dying.target !== undefined)
          dying.target = { ...dying.target, status: "failed", endReason: "out_of_memory" };
      }, 50);
    });
    const answer = await dying.ask("/execute", { method: "POST", headers: { authorization: token }, body: "{}" });
    expect([answer.status, answer.json()]).toMatchObject([410, { end_reason: "out_of_memory" }]);
  });

  it("answers 503 when nothing listens", async () => {
    const gone = await start(mirror);
    if (gone.target !== undefined)
      gone.target = { ...gone.target, endpoint: { kind: "unix", path: "/nowhere/agent.sock" } };
    const answer = await gone.ask("/x", { method: "POST", headers: { authorization: token }, body: "{}" });
    expect([answer.status, answer.json()]).toMatchObject([503, { code: "AGENT_UNREACHABLE" }]);
  });

  it("keeps an idle connection as long as it is told: a load balancer in front gives up first", async () => {
    const { gateway } = await start(mirror, { keepIdleMs: 4_060_000 });
    expect(gateway.server.keepAliveTimeout).toBe(4_060_000);
  });

  it("closes although a connection is idle and a request hangs", async () => {
    const { port, gateway } = await start(() => {});
    const hanging = new Promise((resolve) => {
      const req = request({ port, path: "/x", headers: { authorization: token }, agent: false });
      req.on("error", resolve);
      req.end();
    });
    const idle = connect(port, "127.0.0.1");
    idle.on("error", () => {});
    await new Promise((resolve) => idle.once("connect", resolve));
    await gateway.close(50);
    await hanging;
    idle.destroy();
  });
});
