import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BrokeredSecret } from "#core/model.ts";
import { type EgressWorld, openEgressWorld } from "./world.ts";

const value = "sk-live-0123456789abcdef";
const placeholder = `bhsecret_${"a".repeat(32)}`;
const secret = (port: number, changes: Partial<BrokeredSecret> = {}): BrokeredSecret => ({
  ...{ name: "TOKEN", placeholder, reference: "vendor#token", use: "header Authorization: Bearer $" },
  hosts: [`api.example:${port}`],
  ...changes,
});

let world: EgressWorld;
let seen: { headers: IncomingMessage["headers"]; url: string | undefined; body: string }[] = [];
let asked: string[] = [];
/** Says back what it was sent, and remembers it. */
const server = (req: IncomingMessage, res: ServerResponse) => {
  let body = "";
  req.on("data", (chunk: Buffer) => (body += chunk.toString()));
  req.on("end", () => {
    seen.push({ headers: req.headers, url: req.url, body });
    if (req.url === "/zip") {
      res.writeHead(200, { "Content-Encoding": "gzip" }).end(gzipSync(JSON.stringify(seen[0])));
      return;
    }
    res.writeHead(200, { "X-Echo": req.headers.authorization ?? "" }).end(JSON.stringify(seen));
  });
};

beforeEach(async () => {
  seen = [];
  asked = [];
  world = await openEgressWorld({
    secrets: {
      value(projectId, reference) {
        asked.push(`${projectId} ${reference}`);
        return reference === "vendor#token" ? Promise.resolve(value) : Promise.reject(new Error("away"));
      },
    },
  });
});
afterEach(() => world.close());

async function secure(host: string, port: number, ca = world.proxyCa): Promise<TLSSocket> {
  const { socket } = await world.tunnel(`${host}:${port}`);
  return world.tls(socket, { servername: host, ca });
}

async function ask(socket: TLSSocket, head: string, body = ""): Promise<string> {
  socket.write(`${head}Connection: close\r\n\r\n${body}`);
  return world.hear(socket);
}

const hash = (text: string) => createHash("sha256").update(text).digest("hex");

describe("a brokered secret", () => {
  it("is put in on the way to its host, and hidden on the way back", async () => {
    const port = await world.https(server);
    world.setBrokered(secret(port));
    const socket = await secure("api.example", port);
    const answer = await ask(
      socket,
      `GET /me HTTP/1.1\r\nHost: api.example:${port}\r\nAuthorization: Bearer ${placeholder}\r\n`,
    );
    expect(hash(seen[0]?.headers.authorization ?? "")).toBe(hash(`Bearer ${value}`));
    expect(answer).toContain("200 OK");
    expect(answer).toContain(`Bearer ${placeholder}`);
    expect(answer).not.toContain(value);
    expect(asked).toEqual(["p1 vendor#token"]);
    const [row] = await world.ended(1);
    expect(row).toMatchObject({ inside: "https", secrets: ["TOKEN"], method: "GET", requests: 1, decision: "allow" });
  });

  it("is hidden in answers that come compressed all the same, and in later ones", async () => {
    const port = await world.https(server);
    world.setBrokered(secret(port));
    const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: api.example:${port}\r\n${more}`;
    await ask(await secure("api.example", port), get("/", `Authorization: Bearer ${placeholder}\r\n`));
    const zipped = await ask(await secure("api.example", port), get("/zip"));
    expect(zipped).not.toContain(value);
    expect(zipped).toContain(placeholder);
    expect(await ask(await secure("api.example", port), get("/later"))).not.toContain(value);
  });

  it.each([
    ["in another header", `X-Key: ${placeholder}\r\n`, "/"],
    ["in the path", "", `/${placeholder}`],
    ["in the query", "", `/?key=${placeholder}`],
    ["unknown", `Authorization: Bearer bhsecret_${"b".repeat(32)}\r\n`, "/"],
  ])("drops a request with a placeholder %s", async (_where, header, path) => {
    const port = await world.https(server);
    world.setBrokered(secret(port));
    const answer = await ask(
      await secure("api.example", port),
      `GET ${path} HTTP/1.1\r\nHost: api.example:${port}\r\n${header}`,
    );
    expect(answer).toContain("403 Forbidden");
    expect(seen).toEqual([]);
    const denied = (await world.ended(2)).find((row) => row.kind === "request");
    expect(denied).toMatchObject({ decision: "deny", host: "api.example" });
  });

  it("drops a body that carries the placeholder", async () => {
    const port = await world.https(server);
    world.setBrokered(secret(port));
    const body = `{"key":"${placeholder}"}`;
    const head = `POST / HTTP/1.1\r\nHost: api.example:${port}\r\nContent-Length: ${body.length}\r\n`;
    const answer = await ask(await secure("api.example", port), head, body);
    expect(answer).toContain("403 Forbidden");
    expect(seen).toEqual([]);
  });

  it("drops a request that carries it to another host in the clear", async () => {
    const port = await world.http(server);
    world.setBrokered(secret(port));
    const { socket } = await world.tunnel(`other.example:${port}`);
    socket.write(`GET / HTTP/1.1\r\nHost: other.example:${port}\r\nAuthorization: Bearer ${placeholder}\r\n\r\n`);
    expect(await world.hear(socket, /Bulkhead/)).toContain("403 Forbidden");
    expect(seen).toEqual([]);
  });

  it("drops the request when its value cannot be had", async () => {
    const port = await world.https(server);
    world.setBrokered(secret(port, { reference: "gone" }));
    const answer = await ask(
      await secure("api.example", port),
      `GET / HTTP/1.1\r\nHost: api.example:${port}\r\nAuthorization: Bearer ${placeholder}\r\n`,
    );
    expect(answer).toMatch(/403 Forbidden.*TOKEN could not be read/s);
    expect(seen).toEqual([]);
  });

  it("leaves other hosts' TLS untouched", async () => {
    const port = await world.https(server);
    world.setBrokered(secret(port));
    const socket = await secure("other.example", port, world.serverCa);
    await ask(socket, `GET / HTTP/1.1\r\nHost: other.example:${port}\r\n`);
    expect((await world.ended(1))[0]?.inside).toBe("tls");
  });

  it("does not trust a server whose certificate nobody signed", async () => {
    await world.close();
    world = await openEgressWorld({ trusted: [], secrets: { value: () => Promise.resolve(value) } });
    const port = await world.https(server);
    world.setBrokered(secret(port));
    const answer = await ask(
      await secure("api.example", port),
      `GET / HTTP/1.1\r\nHost: api.example:${port}\r\nAuthorization: Bearer ${placeholder}\r\n`,
    );
    expect(answer).toContain("502 Bad Gateway");
    expect(seen).toEqual([]);
  });

  it("goes out on one kept connection for several requests", async () => {
    const port = await world.https(server);
    world.setBrokered(secret(port));
    const socket = await secure("api.example", port);
    for (const path of ["/1", "/2"]) {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: api.example:${port}\r\nAuthorization: Bearer ${placeholder}\r\n\r\n`);
      await world.hear(socket, new RegExp(`"url":"${path}"`));
    }
    socket.destroy();
    expect((await world.ended(1))[0]).toMatchObject({ requests: 2 });
  });
});
