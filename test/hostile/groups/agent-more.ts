import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

async function addressOf(sandbox: HostileWorld["attacker"]) {
  const { origin, pathname } = new URL((await sandbox.getInfo()).publicHost);
  const { hostname, port } = new URL(origin);
  const authorization = `Bearer ${await sandbox.getToken()}`;
  return { origin, hostname, port: Number(port), base: pathname.replace(/\/$/, ""), authorization };
}

interface Spoken {
  /** Whether the handshake was answered 101. */
  readonly opened: boolean;
  /** Bytes after it. */
  readonly rest: Buffer;
  readonly closed: boolean;
}

/** Opens a WebSocket by hand, sends bytes in place of frames, and waits for the end that the other side makes. */
async function frames(world: HostileWorld, path: string, bytes: Buffer, waitMs = 4000): Promise<Spoken> {
  const { hostname, port, base, authorization } = await addressOf(world.attacker);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let closed = false;
    const socket = connect(port, hostname, () =>
      socket.write(
        `GET ${base}${path} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
      ),
    );
    const timer = setTimeout(() => socket.destroy(), waitMs);
    let sent = false;
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (sent) return;
      sent = true;
      socket.write(bytes);
    });
    socket.on("error", () => {});
    socket.on("end", () => {
      closed = true;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      const all = Buffer.concat(chunks);
      const end = all.indexOf("\r\n\r\n") + 4;
      resolve({ opened: all.toString("latin1").startsWith("HTTP/1.1 101"), rest: all.subarray(end), closed });
    });
  });
}

/** The code of the close frame among the agent's frames, which are plain (no extension was asked for). */
function closeCodeIn(bytes: Buffer): number | undefined {
  for (let at = 0; at + 2 <= bytes.length; ) {
    const short = bytes.readUInt8(at + 1) & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + head > bytes.length) return undefined;
    const length = head === 2 ? short : head === 4 ? bytes.readUInt16BE(at + 2) : bytes.readUIntBE(at + 4, 6);
    const isClose = (bytes.readUInt8(at) & 0x0f) === 8;
    if (isClose) return length >= 2 && at + head + 2 <= bytes.length ? bytes.readUInt16BE(at + head) : 1005;
    at += head + length;
  }
  return undefined;
}

const mask = Buffer.from([1, 2, 3, 4]);
const frame = (first: number, second: number, ...rest: Buffer[]) =>
  Buffer.concat([Buffer.from([first, second]), ...rest]);
const huge = Buffer.from("7fffffffffffffff", "hex");

const wrongFrames: Readonly<Record<string, Buffer>> = {
  unmasked: frame(0x81, 2, Buffer.from("{}")),
  "reserved opcode": frame(0x8b, 0x80, mask),
  "reserved bits": frame(0xb1, 0x80, mask),
  "8 EB long": frame(0x81, 0xff, huge, mask),
  "negative length": frame(0x81, 0xff, Buffer.alloc(8, 0xff), mask),
  "cut ping": frame(0x09, 0x80, mask),
  "long ping": frame(0x89, 0xfe, Buffer.from([0, 126]), mask, Buffer.alloc(126)),
  "bad UTF-8": frame(0x81, 0x82, Buffer.alloc(4), Buffer.from([0xc3, 0x28])),
  "continuation of nothing": frame(0x80, 0x80, mask),
  "half a close code": frame(0x88, 0x81, mask, Buffer.alloc(1)),
};

async function within(ms: number, promise: Promise<unknown>): Promise<number> {
  const began = Date.now();
  await Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error("late")), ms))]);
  return Date.now() - began;
}

export const attempts = attemptsOf("agent", [
  {
    tried: `WebSockets with wrong frames: ${Object.keys(wrongFrames).join(", ")}`,
    must: "the agent ends each (a close frame, or the connection) and serves on",
    async run(world) {
      const seen = await Promise.all(
        Object.entries(wrongFrames).map(async ([name, bytes]) => {
          const { opened, closed, rest } = await frames(world, "/terminal", bytes);
          return { name, opened, end: closeCodeIn(rest) ?? (closed ? "cut off" : undefined) };
        }),
      );
      const bad = seen.filter(({ opened, end }) => !opened || end === undefined);
      const names = bad.map(({ name, opened }) => `${name} (${opened ? "stays open" : "was not opened"})`);
      return judged(bad.length === 0, names.join(", ") || `ended with ${seen.map(({ end }) => end).join(", ")}`);
    },
  },
  {
    tried: "headers of 100 KB, 5000 headers, a target of 100 KB and bodies over the limit",
    must: "refused with 4xx; nothing of it is kept",
    async run({ attacker }) {
      const { origin, base, authorization } = await addressOf(attacker);
      const json = { authorization, "content-type": "application/json" };
      const many = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`x-${index}`, "y"]));
      const asked = [
        ask(origin, `${base}/info`, { headers: { authorization, "x-long": "x".repeat(100_000) } }),
        ask(origin, `${base}/info`, { headers: { authorization, ...many } }),
        ask(origin, `${base}/info?${"x".repeat(100_000)}`, { headers: { authorization } }),
        ask(origin, `${base}/execute`, { method: "POST", headers: json, body: "[".repeat(9 << 20) }),
        ask(origin, `${base}/execute`, { method: "POST", headers: json, body: "[".repeat(1 << 20) }),
        ask(origin, `${base}/execute`, { method: "POST", headers: json, body: '{"__proto__":{"code":"1"}}' }),
      ];
      const seen = await Promise.all(
        asked.map((one) =>
          one.then(({ status }) => String(status)).catch((error: unknown) => (error as Error).message),
        ),
      );
      const refused = seen.every((status) => /^4\d\d$/.test(status) || /ECONNRESET|EPIPE|socket hang up/.test(status));
      return judged(refused && seen.some((status) => /^4/.test(status)), seen.join(", "));
    },
  },
  {
    tried: "slow-loris: 300 connections that never finish their headers or bodies",
    must: "others are answered at once",
    async run({ attacker, victim }) {
      const { hostname, port, base, authorization } = await addressOf(attacker);
      const sockets: Socket[] = [];
      for (let index = 0; index < 300; index += 1) {
        const head = `POST ${base}/execute HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n`;
        const socket = connect(port, hostname, () => socket.write(index % 2 === 0 ? head : `${head}\r\n{"code":`));
        socket.on("error", () => {});
        sockets.push(socket);
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const open = sockets.filter(({ readyState }) => readyState === "open").length;
      const [theirs, own] = [
        await within(5000, victim.commands.run("true")),
        await within(5000, attacker.commands.run("true")),
      ];
      for (const socket of sockets) socket.destroy();
      return judged(open > 250, `with ${open} hanging: the victim ${theirs} ms, one's own sandbox ${own} ms`);
    },
  },
  {
    tried: "ports that listen inside, asked for the agent's API and its control routes",
    must: "only the way out listens, and it serves neither",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import socket
ports = sorted({int(l.split()[1].split(':')[1], 16) for f in ('tcp', 'tcp6') for l in open('/proc/net/' + f).read().splitlines()[1:] if l.split()[3] == '0A'})
print('listening', len(ports))
for port in ports:
    for target in ('/_bulkhead/state', '/info', '/env', 'http://localhost/_bulkhead/state', f'http://127.0.0.1:{port}/_bulkhead/state'):
        s = socket.socket(); s.settimeout(3)
        try:
            s.connect(('127.0.0.1', port)); s.sendall(f'GET {target} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n'.encode())
            data = b''
            while (chunk := s.recv(4096)): data += chunk
            if b'last_activity_at' in data or b'sandbox_id' in data or data[9:12] == b'200': print('REACHED', port, target)
            print(data[9:12].decode() or 'closed', end=' ')
        except OSError as error: print(error, end=' ')
        s.close()
`,
      );
      return judged(!seen.includes("REACHED") && /listening [12]\b/.test(seen), seen);
    },
  },
  {
    tried: "2000 connections from inside to the agent's relay, held open",
    must: "the agent answers from outside meanwhile",
    async run({ create, python }) {
      const sandbox = await create();
      const { origin, base, authorization } = await addressOf(sandbox);
      const flood = python(
        sandbox,
        `
import os, resource, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
proxy = (os.environ.get('HTTP_PROXY') or os.environ['http_proxy']).split('@')[-1].split('//')[-1].strip('/')
host, port = proxy.rsplit(':', 1); held = []
try:
    for _ in range(2000):
        s = socket.socket(); s.settimeout(1); s.connect((host, int(port))); s.send(b'GET http://1.1.1.1/ HTTP/1.1\\r\\nX: '); held.append(s)
except OSError as error: print(error)
print('held', len(held), flush=True); time.sleep(2.5)
`,
      );
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const times: number[] = [];
      for (let round = 0; round < 4; round += 1)
        times.push(await within(5000, ask(origin, `${base}/info`, { headers: { authorization } })));
      const held = Number(/held (\d+)/.exec(await flood)?.[1] ?? "0");
      await sandbox.kill();
      return judged(held > 100, `${held} held; /info answered in ${times.join(", ")} ms`);
    },
  },
]);
