import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { nodeTools } from "../../../scripts/build-tools.mjs";

const refusal = "Bulkhead egress proxy: no.example:443 is refused: not on the sandbox's allow-list.";
const directory = mkdtempSync(join(tmpdir(), "bulkhead-node-tools-"));
/** What the proxy was asked to connect to. */
const asked: string[] = [];
let proxy: HttpServer;
let web: HttpServer;
/** Speaks first, then sends back what it got once its client has said everything. */
let patient: Server;
/** Says goodbye at once. */
let hasty: Server;

const portOf = (server: Server | HttpServer) => (server.address() as AddressInfo).port;

/** `up.example` is this machine; everything else is refused. */
function makeProxy(): HttpServer {
  return createHttpServer().on("connect", (req, client, head) => {
    asked.push(req.url ?? "");
    client.on("error", () => {});
    const [host, port] = (req.url ?? "").split(":");
    if (host !== "up.example") {
      client.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${refusal.length + 1}\r\n\r\n${refusal}\n`);
      return;
    }
    const up = connect({ host: "127.0.0.1", port: Number(port), allowHalfOpen: true }, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      up.write(head);
      up.pipe(client);
      client.pipe(up);
    });
    up.on("error", () => client.destroy());
  });
}

beforeAll(async () => {
  for (const [name, text] of Object.entries(await nodeTools())) writeFileSync(join(directory, name), text);
  chmodSync(join(directory, "proxy-connect"), 0o755);
  proxy = makeProxy();
  web = createHttpServer((req, res) => res.end(`hello ${req.headers.host}${req.url}`));
  patient = createServer({ allowHalfOpen: true }, (socket) => {
    socket.write("first\n");
    const got: Buffer[] = [];
    socket.on("data", (chunk) => got.push(chunk)).on("end", () => socket.end(`${Buffer.concat(got).length}\n`));
  });
  hasty = createServer((socket) => socket.on("error", () => {}).end("bye\n"));
  for (const server of [proxy, web, patient, hasty]) await once(server.listen(0, "127.0.0.1"), "listening");
  return () => {
    for (const server of [proxy, web, patient, hasty]) server.close();
  };
});
beforeEach(() => void asked.splice(0));
afterAll(() => rmSync(directory, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function outcome(child: ChildProcess): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (written.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (written.stderr += chunk.toString()));
  await once(child, "close");
  return { code: child.exitCode, ...written };
}

function environment(): Record<string, string> {
  const address = `http://127.0.0.1:${portOf(proxy)}`;
  return {
    PATH: process.env["PATH"] ?? "",
    ...{ HTTP_PROXY: address, HTTPS_PROXY: address, NO_PROXY: "localhost,127.0.0.1,::1" },
    NODE_OPTIONS: `--require ${directory}/node-proxy.cjs`,
  };
}

function node(code: string, type: "commonjs" | "module" = "commonjs"): Promise<Ended> {
  const args = [`--input-type=${type}`, "-e", code.replaceAll("PORT", String(portOf(web)))];
  return outcome(spawn(process.execPath, args, { env: environment(), timeout: 20_000 }));
}

const read = `const read = (m, u, o = {}) => new Promise((y, n) => m.get(u, o, (r) => { let t = ""; r.on("data", (c) => (t += c)).on("end", () => y(t)); }).on("error", n));`;

describe("Node.js with its preload", () => {
  it.each([
    ["fetch", `fetch("http://up.example:PORT/x").then((r) => r.text()).then(console.log)`],
    ["node:http", `${read} read(require("http"), "http://up.example:PORT/x").then(console.log)`],
    [
      "an agent of the program's own",
      `${read} const http = require("http"); read(http, "http://up.example:PORT/x", { agent: new http.Agent() }).then(console.log)`,
    ],
    ["no agent", `${read} read(require("http"), "http://up.example:PORT/x", { agent: false }).then(console.log)`],
  ])("takes %s through the proxy", async (_, code) => {
    const { stdout, stderr } = await node(code);
    expect({ stdout, stderr }).toEqual({ stdout: `hello up.example:${portOf(web)}/x\n`, stderr: "" });
    expect(asked).toEqual([`up.example:${portOf(web)}`]);
  });

  it("takes imports of modules through the proxy", async () => {
    const { stdout } = await node(
      `import * as http from "node:http"; ${read} console.log(await read(http, "http://up.example:PORT/m"))`,
      "module",
    );
    expect(stdout).toBe(`hello up.example:${portOf(web)}/m\n`);
    expect(asked).toHaveLength(1);
  });

  it.each([
    ["fetch", `fetch("https://no.example/").catch((e) => console.log(e.cause.code, e.cause.message))`],
    [
      "node:https",
      `${read} read(require("https"), "https://no.example/").catch((e) => console.log(e.code, e.message))`,
    ],
    [
      "an agent that asks for a connection and cannot wait for it",
      `${read} const https = require("https");
       class Own extends https.Agent { createConnection(o, c) { const s = super.createConnection(o, c); s.setKeepAlive(true); return s; } }
       read(https, "https://no.example/", { agent: new Own() }).catch((e) => console.log(e.code, e.message))`,
    ],
  ])("says in the proxy's words why %s is refused", async (_, code) => {
    expect((await node(code)).stdout).toBe(`EACCES ${refusal}\n`);
    expect(asked).toEqual(["no.example:443"]);
  });

  it("reaches the sandbox itself without the proxy, and a proxy that is gone is named", async () => {
    const { stdout } = await node(`fetch("http://127.0.0.1:PORT/own").then((r) => r.text()).then(console.log)`);
    expect([stdout, asked]).toEqual([`hello 127.0.0.1:${portOf(web)}/own\n`, []]);
    const gone = await node(
      `process.env.HTTP_PROXY = "http://127.0.0.1:9"; fetch("http://up.example/").catch((e) => console.log(e.cause.message))`,
    );
    expect(gone.stdout).toContain("The proxy 127.0.0.1:9 cannot be used");
  });

  it("loads nothing before something goes out", async () => {
    const { stdout } = await node(
      `console.log(process.moduleLoadList.filter((m) => /^NativeModule (http|https|net|tls|_http_agent)$/.test(m)).length)`,
    );
    expect(stdout).toBe("0\n");
  });
});

describe("proxy-connect", () => {
  const start = (host: string, port: number) =>
    spawn(process.execPath, [join(directory, "proxy-connect"), host, String(port)], {
      env: { ...environment(), NODE_OPTIONS: "" },
      timeout: 20_000,
    });

  it("joins its input and output with the host, with servers that speak first and clients that are done first", async () => {
    const child = start("up.example", portOf(patient));
    await once(child.stdout, "readable");
    child.stdin.end(Buffer.alloc(1_000_000));
    expect(await outcome(child)).toMatchObject({ code: 0, stdout: "first\n1000000\n" });
  });

  it("ends its output with the host's, though nobody has ended its input", async () => {
    const command = `sleep 5 | "${process.execPath}" "${directory}/proxy-connect" up.example ${portOf(hasty)} | { cat; echo over; }`;
    const child = spawn("bash", ["-c", command], { env: { ...environment(), NODE_OPTIONS: "" }, timeout: 20_000 });
    const began = Date.now();
    const [chunk] = (await once(child.stdout, "data")) as [Buffer];
    let text = chunk.toString();
    child.stdout.on("data", (more: Buffer) => (text += more.toString()));
    await vi.waitFor(() => expect(text).toBe("bye\nover\n"), 4_000);
    expect(Date.now() - began).toBeLessThan(4_500);
    await once(child, "close");
  });

  it("says why it is refused", async () => {
    expect(await outcome(start("no.example", 22))).toEqual({
      ...{ code: 1, stdout: "" },
      stderr: `proxy-connect: ${refusal}\n`,
    });
    expect(asked).toEqual(["no.example:22"]);
  });
});
