import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { resolve } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { identityNaming } from "../../../scripts/smoke/account/access-point.ts";
import { readProbes } from "../../../scripts/smoke/from-inside.ts";

const program = resolve(import.meta.dirname, "../../../scripts/smoke/probe.py");
const given = {
  region: "us-east-1",
  bucket: "none",
  neighbours: [],
  nfs: [],
  proxied: "http://127.0.0.1:1/",
  only: null,
};

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that answers each connection's first bytes; says on which port. */
async function listening(answer: (asked: Buffer) => Buffer | null): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", (asked) => {
      const bytes = answer(asked);
      if (bytes === null) socket.destroy();
      else socket.end(bytes);
    });
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function probe(changes: Record<string, unknown>, environment: Record<string, string> = {}) {
  const child = spawn("python3", [program, JSON.stringify({ ...given, ...changes })], {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  await once(child, "close");
  return readProbes(out);
}

/** An accepted RPC reply to COMPOUND with this NFS status, as RFC 5531 and RFC 7530 lay it out. */
function nfsReply(status: number): Buffer {
  const words = [1, 1, 0, 0, 0, 0, status, 0, 0];
  const reply = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) reply.writeUInt32BE(word, index * 4);
  const mark = Buffer.alloc(4);
  mark.writeUInt32BE(0x80000000 + reply.length);
  return Buffer.concat([mark, reply]);
}

describe("the probe's question to a file server", () => {
  const only = ["NFS in the clear 127.0.0.1"];

  it("is a COMPOUND of NFS 4 that asks for the root as uid 0", async () => {
    let asked: Buffer = Buffer.alloc(0);
    const nfsPort = await listening((bytes) => {
      asked = bytes;
      return nfsReply(0);
    });
    await probe({ nfs: ["127.0.0.1"], nfsPort, only });
    expect(asked.readUInt32BE(0)).toBe(0x80000000 + asked.length - 4);
    expect([12, 16, 20, 24].map((at) => asked.readUInt32BE(at))).toEqual([2, 100003, 4, 1]);
    expect([8, 4].map((fromEnd) => asked.readUInt32BE(asked.length - fromEnd))).toEqual([24, 10]);
  });

  it.each([
    ["the root is given", nfsReply(0), true, "gave its root"],
    ["access is denied", nfsReply(13), false, "NFS status 13"],
    ["the connection is closed", null, false, ""],
  ])("tells that %s", async (_, reply, reached, detail) => {
    const nfsPort = await listening(() => reply);
    const [row] = await probe({ nfs: ["127.0.0.1"], nfsPort, only });
    expect(row).toMatchObject({ probe: only[0], reached });
    expect(row?.detail).toContain(detail);
  });
});

describe("a certificate that names an access point", () => {
  const accessPoint = { accessPointId: "fsap-0123456789abcdef0", fileSystemId: "fs-0123456789abcdef0" };

  it("is presented by the probe, with both ids where EFS looks for them", async () => {
    const pem = await identityNaming(accessPoint);
    const presented: Buffer[] = [];
    const server = createTlsServer({ key: pem, cert: pem, requestCert: true, rejectUnauthorized: false }, (socket) => {
      presented.push(socket.getPeerCertificate().raw);
      socket.once("data", () => socket.end(nfsReply(0)));
    }).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    const address = server.address();
    const nfsPort = typeof address === "object" && address !== null ? address.port : 0;
    const only = ["NFS naming the neighbour's access point 127.0.0.1"];
    const identities = [{ name: "the neighbour's access point", pem }];
    const [row] = await probe({ nfs: ["127.0.0.1"], nfsPort, identities, only });
    expect(row).toMatchObject({ reached: true, detail: "gave its root" });
    // DER of 1.3.6.1.4.1.4843.7.1 and .7.3, each followed by an octet string that holds a UTF8String.
    const der = presented[0]?.toString("latin1") ?? "";
    const extension = (last: number, id: string) =>
      Buffer.from([6, 9, 0x2b, 6, 1, 4, 1, 0xa5, 0x6b, 7, last, 4, id.length + 2, 0x0c, id.length]).toString("latin1") +
      id;
    expect(der).toContain(extension(1, accessPoint.accessPointId));
    expect(der).toContain(extension(3, accessPoint.fileSystemId));
  });
});

describe("the probe", () => {
  it("finds what ECS left in the environment, and the metadata behind it", async () => {
    const port = await listening(() => Buffer.from("HTTP/1.0 200 OK\r\n\r\n{}"));
    const ECS_CONTAINER_METADATA_URI_V4 = `http://127.0.0.1:${port}/v4/abc`;
    const only = ["task metadata v4"];
    const [open] = await probe({ only }, { ECS_CONTAINER_METADATA_URI_V4 });
    expect(open).toMatchObject({ reached: true, detail: "HTTP 200 {}" });
  });

  it("takes an answer of the proxy that refuses for closed, and one that passes for open", async () => {
    const only = ["metadata through the proxy"];
    for (const [status, reached] of [["403 Forbidden", false] as const, ["200 OK", true] as const]) {
      const port = await listening(() => Buffer.from(`HTTP/1.0 ${status}\r\n\r\n`));
      const [row] = await probe({ only }, { http_proxy: `http://127.0.0.1:${port}` });
      expect(row).toMatchObject({ reached });
    }
  });
});
