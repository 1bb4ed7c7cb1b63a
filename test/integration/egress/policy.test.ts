import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EgressWorld, openEgressWorld } from "./world.ts";

let world: EgressWorld;
beforeEach(async () => {
  world = await openEgressWorld();
});
afterEach(() => world.close());

const echo = (socket: Socket) => void socket.pipe(socket);
const hello = (req: IncomingMessage, res: ServerResponse) => void res.end(`hello from ${req.headers.host} ${req.url}`);

describe("an allow-list", () => {
  it("lets out what a rule names and refuses the rest, before its name is looked up", async () => {
    const port = await world.tcp(echo);
    world.setPolicy({ mode: "allow-list", rules: [{ host: "*.example", ports: [port] }] });
    const { socket, status } = await world.tunnel(`api.example:${port}`);
    expect(status).toBe("HTTP/1.1 200 Connection Established");
    socket.destroy();
    expect((await world.tunnel(`example:${port}`)).status).toMatch(/403 .*not on the sandbox's allow-list/s);
    expect((await world.tunnel(`api.example:${port + 1}`)).status).toContain("403");
    const rows = await world.ended(3);
    expect(rows.map(({ decision, rule, host }) => ({ decision, rule, host }))).toEqual(
      expect.arrayContaining([
        { decision: "allow", rule: `*.example:${port}`, host: "api.example" },
        { decision: "deny", rule: null, host: "example" },
        { decision: "deny", rule: null, host: "api.example" },
      ]),
    );
  });

  it("knows TLS by its name, and refuses another than was asked for, none, and what is no TLS at all", async () => {
    const port = await world.https(hello);
    world.setPolicy({ mode: "allow-list", rules: [{ host: "api.example", ports: [port] }] });
    const tunnel = async () => (await world.tunnel(`api.example:${port}`)).socket;
    const secure = await world.tls(await tunnel(), { servername: "api.example", ca: world.serverCa });
    secure.write("GET /x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n");
    expect(await world.hear(secure)).toContain("hello from api.example /x");
    await expect(world.tls(await tunnel(), { servername: "other.example", ca: world.serverCa })).rejects.toThrow();
    await expect(
      world.tls(await tunnel(), { ca: world.serverCa, checkServerIdentity: () => undefined }),
    ).rejects.toThrow();
    const rows = await world.ended(3);
    expect(rows.map(({ inside, decision }) => [inside, decision])).toEqual([
      ["tls", "allow"],
      [null, "deny"],
      [null, "deny"],
    ]);
    expect(rows[1]?.reason).toBe("TLS names other.example, the connection was asked for api.example");
  });

  it("limits methods and paths of plain HTTP, also inside of a tunnel and after dots", async () => {
    const port = await world.http(hello);
    world.setPolicy({
      mode: "allow-list",
      rules: [{ host: "api.example", ports: [port], methods: ["GET"], paths: ["/v1"] }],
    });
    const { socket } = await world.tunnel(`api.example:${port}`);
    const ask = async (line: string) => {
      socket.write(`${line} HTTP/1.1\r\nHost: api.example:${port}\r\n\r\n`);
      return world.hear(socket, /(hello from|Bulkhead) [^\n]*/);
    };
    expect(await ask("GET /v1/a")).toContain(`hello from api.example:${port} /v1/a`);
    expect(await ask("GET /v1/../admin")).toMatch(/403.*method or path is not on/s);
    const next = await world.tunnel(`api.example:${port}`);
    next.socket.write(`POST /v1/a HTTP/1.1\r\nHost: api.example:${port}\r\nContent-Length: 0\r\n\r\n`);
    expect(await world.hear(next.socket, /Bulkhead/)).toContain("403");
    next.socket.destroy();
    const rows = await world.ended(4);
    expect(rows.filter((row) => row.kind === "request").map(({ method, decision }) => [method, decision])).toEqual([
      ["GET", "deny"],
      ["POST", "deny"],
    ]);
  });

  it("refuses a tunnel it cannot look into when the rule limits requests", async () => {
    const port = await world.https(hello);
    world.setPolicy({ mode: "allow-list", rules: [{ host: "api.example", ports: [port], methods: ["GET"] }] });
    const { socket } = await world.tunnel(`api.example:${port}`);
    await expect(world.tls(socket, { servername: "api.example", ca: world.serverCa })).rejects.toThrow();
    expect((await world.ended(1))[0]?.reason).toContain("inspect: true");
  });

  it("looks into TLS where the rule says so", async () => {
    const port = await world.https(hello);
    world.setPolicy({
      mode: "allow-list",
      rules: [{ host: "api.example", ports: [port], methods: ["GET"], inspect: true }],
    });
    const { socket } = await world.tunnel(`api.example:${port}`);
    const secure = await world.tls(socket, { servername: "api.example", ca: world.proxyCa });
    secure.write(`POST / HTTP/1.1\r\nHost: api.example:${port}\r\nContent-Length: 0\r\n\r\n`);
    expect(await world.hear(secure, /Bulkhead/)).toContain("403");
  });

  it("holds the Host of requests in a tunnel against what the tunnel was asked for", async () => {
    const port = await world.http(hello);
    const { socket } = await world.tunnel(`api.example:${port}`);
    socket.write(`GET / HTTP/1.1\r\nHost: other.example\r\n\r\n`);
    expect(await world.hear(socket, /Bulkhead/)).toContain("the request is for other.example");
  });

  it("waits for a request that comes in pieces", async () => {
    const port = await world.http(hello);
    const { socket } = await world.tunnel(`api.example:${port}`);
    socket.write("\r\nGE");
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(`T / HTTP/1.1\r\nHost: other.example\r\n\r\n`);
    expect(await world.hear(socket, /Bulkhead/)).toContain("403");
  });
});

describe("other modes", () => {
  it("refuses by address, by name, and by the name in TLS to an address", async () => {
    const port = await world.https(hello);
    world.setPolicy({ mode: "allow-all-but", rules: [{ host: "bad.example" }] });
    expect((await world.tunnel(`bad.example:${port}`)).status).toContain("refused by the sandbox's network policy");
    const { socket } = await world.tunnel(`127.0.0.1:${port}`);
    await expect(world.tls(socket, { servername: "bad.example", ca: world.serverCa })).rejects.toThrow();
    world.setPolicy({ mode: "allow-all-but", rules: [{ cidr: "127.0.0.0/8" }] });
    expect((await world.tunnel(`good.example:${port}`)).status).toContain("403");
  });

  it("observes: everything public goes out", async () => {
    const port = await world.tcp(echo);
    world.setPolicy({ mode: "observe", rules: [] });
    const { socket, status } = await world.tunnel(`any.example:${port}`);
    expect(status).toContain("200");
    socket.destroy();
    expect((await world.ended(1))[0]?.reason).toBe("observed");
  });
});

describe("a change of policy", () => {
  it("cuts what is open and refused now, and leaves the rest", async () => {
    const port = await world.tcp(echo);
    const kept = await world.tunnel(`kept.example:${port}`);
    const cut = await world.tunnel(`cut.example:${port}`);
    const gone = world.hear(cut.socket);
    world.setPolicy({ mode: "allow-list", rules: [{ host: "kept.example", ports: [port] }] });
    await gone;
    expect((await world.ended(1))[0]).toMatchObject({
      host: "cut.example",
      reason: expect.stringContaining("cut by version 2") as string,
    });
    const heard = world.hear(kept.socket, /still/);
    kept.socket.write("still");
    expect(await heard).toBe("still");
    kept.socket.destroy();
  });

  it("cuts everything when the sandbox has ended", async () => {
    const port = await world.tcp(echo);
    const { socket } = await world.tunnel(`a.example:${port}`);
    const gone = world.hear(socket);
    world.identity = undefined;
    world.listener.reconsider();
    await gone;
  });
});

describe("protocols in which the server speaks first", () => {
  it("hears it at once", async () => {
    const port = await world.tcp((socket) => void socket.write("220 welcome\r\n"));
    const { socket } = await world.tunnel(`mail.example:${port}`);
    expect(await world.hear(socket, /welcome/)).toBe("220 welcome\r\n");
    socket.destroy();
    expect((await world.ended(1))[0]).toMatchObject({ decision: "allow", bytesIn: 13 });
  });
});

describe("SOCKS 5", () => {
  const greeting = Buffer.from([5, 1, 0]);
  const byName = (host: string, port: number) =>
    Buffer.concat([Buffer.from([5, 1, 0, 3, host.length]), Buffer.from(host), Buffer.from([port >> 8, port & 255])]);

  async function socks(question: Buffer): Promise<{ socket: Socket; code: number | undefined }> {
    const socket = connect(world.socketPath).on("error", () => {});
    socket.write(greeting);
    await new Promise((resolve) => socket.once("data", resolve));
    socket.write(question);
    const reply = await new Promise<Buffer>((resolve) => {
      socket.once("data", resolve);
      socket.once("close", () => resolve(Buffer.alloc(0)));
    });
    return { socket, code: reply[1] };
  }

  it("connects by name under the same rules", async () => {
    const port = await world.tcp(echo);
    world.setPolicy({ mode: "allow-list", rules: [{ host: "git.example", ports: [port] }] });
    const { socket, code } = await socks(byName("git.example", port));
    expect(code).toBe(0);
    const heard = world.hear(socket, /SSH/);
    socket.write("SSH-2.0-x\r\n");
    expect(await heard).toBe("SSH-2.0-x\r\n");
    socket.destroy();
    expect((await socks(byName("other.example", port))).code).toBe(2);
    const rows = await world.ended(2);
    expect(rows.map(({ protocol, inside, decision }) => [protocol, inside, decision])).toEqual([
      ["socks5", "opaque", "allow"],
      ["socks5", null, "deny"],
    ]);
  });

  it.each([
    ["private IPv4", Buffer.from([5, 1, 0, 1, 10, 0, 0, 1, 0, 80]), 2],
    ["metadata", Buffer.from([5, 1, 0, 1, 169, 254, 169, 254, 0, 80]), 2],
    ["loopback IPv6", Buffer.from([5, 1, 0, 4, ...Array.from({ length: 15 }, () => 0), 1, 0, 80]), 2],
    ["mapped IPv6", Buffer.from([5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1, 0, 80]), 2],
    ["an integer as a name", byName("2130706433", 80), 8],
    ["UDP", Buffer.from([5, 3, 0, 1, 1, 1, 1, 1, 0, 53]), 7],
    ["listening", Buffer.from([5, 2, 0, 1, 1, 1, 1, 1, 0, 53]), 7],
  ])("refuses %s", async (_name, question, code) => {
    expect((await socks(question)).code).toBe(code);
  });
});
