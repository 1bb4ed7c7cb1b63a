import { until } from "#test/e2e/support/until.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

/** Says bytes to the proxy and prints what comes back. */
async function say({ attacker, python }: HostileWorld, bytes: string, sandbox = attacker): Promise<string> {
  return python(
    sandbox,
    `
import socket
s = socket.create_connection(('127.0.0.1', 3128), 5)
s.sendall(${JSON.stringify(bytes)}.encode('latin1'))
out = b''
try:
    while len(out) < 4000:
        part = s.recv(4096)
        if not part: break
        out += part
        if b'served' in out or b'Bulkhead' in out or b'400 ' in out: break
except OSError as error: out += str(error).encode()
print(out.decode('latin1', 'replace'))
`,
  );
}

/** What the record has of a sandbox's refusals, once it has some. */
function denials({ cli }: HostileWorld, id: string): Promise<string> {
  return until("refusal on record", async () => {
    const listed = await cli(["egress", "list", "--sandbox", id, "--denied"]);
    return listed.includes(id) && listed;
  });
}

const onlyOpen = (world: HostileWorld) =>
  world.create({
    network: { mode: "allow-list", rules: [{ host: "open.test", ports: [world.web.port, world.secureWeb.port] }] },
  });

export const attempts = attemptsOf("smuggling", [
  {
    tried: "Content-Length together with Transfer-Encoding",
    must: "refused as ambiguous",
    async run(world) {
      const before = world.web.requests.length;
      const seen = await say(
        world,
        `POST http://open.test:${world.web.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
      );
      return judged(seen.includes("400 ") && world.web.requests.length === before, seen);
    },
  },
  {
    tried: "two different Content-Length headers",
    must: "refused as ambiguous",
    async run(world) {
      const before = world.web.requests.length;
      const seen = await say(
        world,
        `POST http://open.test:${world.web.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 40\r\n\r\nA`,
      );
      return judged(seen.includes("400 ") && world.web.requests.length === before, seen);
    },
  },
  {
    tried: "Transfer-Encoding in odd spellings",
    must: "refused, or passed on as one whole request",
    async run(world) {
      const before = world.web.requests.length;
      const seen = await say(
        world,
        `POST http://open.test:${world.web.port}/te HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabcGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`,
      );
      const smuggled = world.web.requests.slice(before).some(({ path }) => path === "/smuggled");
      return judged(!smuggled, seen.split("\r\n")[0] ?? "");
    },
  },
  {
    tried: "absolute-form with another Host header",
    must: "the server sees the host that was judged",
    async run(world) {
      const before = world.web.requests.length;
      await say(
        world,
        `GET http://open.test:${world.web.port}/host HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n`,
      );
      const [request] = world.web.requests.slice(before);
      return judged(request?.host === `open.test:${world.web.port}`, `the server was told ${request?.host}`);
    },
  },
  {
    tried: "CONNECT to private and loopback addresses",
    must: "refused",
    async run(world) {
      const seen = [];
      for (const target of ["127.0.0.1:80", "10.0.0.1:443", "[::1]:80", "169.254.169.254:80", "[::ffff:a00:1]:443"])
        seen.push((await say(world, `CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).split("\r\n")[0]);
      return judged(
        seen.every((line) => line?.includes(" 403 ")),
        seen.join("; "),
      );
    },
  },
  {
    tried: "header injection by CR and LF in the target",
    must: "refused, nothing reaches the server",
    async run(world) {
      const before = world.web.requests.length;
      const seen = await say(world, `CONNECT open.test:${world.web.port}\rX-Injected: 1 HTTP/1.1\r\nHost: x\r\n\r\n`);
      const second = await say(
        world,
        `GET http://open.test:${world.web.port}/a%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      const injected = world.web.requests.slice(before).some(({ headers }) => "x-injected" in headers);
      return judged(seen.includes("400 ") && !injected, `${seen.split("\r\n")[0]}; ${second.split("\r\n")[0]}`);
    },
  },
  {
    tried: "a second request for another host on a kept connection to the proxy",
    must: "judged by itself",
    async run(world) {
      const sandbox = await onlyOpen(world);
      const before = world.web.requests.length;
      const { port } = world.web;
      const get = (host: string) => `GET http://${host}:${port}/kept HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
      await world.python(
        sandbox,
        `import socket\ns = socket.create_connection(('127.0.0.1', 3128), 5)\ns.settimeout(2)\ns.sendall(${JSON.stringify(get("open.test") + get("other.test"))}.encode())\ntry:\n  while s.recv(4096): pass\nexcept OSError: pass`,
      );
      await sandbox.kill();
      const hosts = world.web.requests.slice(before).map(({ host }) => host);
      return judged(hosts.length === 1 && hosts[0]?.startsWith("open.test") === true, `reached: ${hosts.join(", ")}`);
    },
  },
  {
    tried: "another Host inside of a tunnel to an allowed one (plain HTTP)",
    must: "refused: Host and tunnel must agree",
    async run(world) {
      const sandbox = await onlyOpen(world);
      const before = world.web.requests.length;
      const { port } = world.web;
      const seen = await say(
        world,
        `CONNECT open.test:${port} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: other.test:${port}\r\n\r\n`,
        sandbox,
      );
      await sandbox.kill();
      return judged(seen.includes("the request is for other.test") && world.web.requests.length === before, seen);
    },
  },
  {
    tried: "another name in TLS (SNI) than the tunnel was asked for (domain fronting)",
    must: "the handshake is cut",
    async run(world) {
      const sandbox = await onlyOpen(world);
      const before = world.secureWeb.requests.length;
      const seen = await world.shell(
        sandbox,
        `curl -skS -m 5 --connect-to other.test:${world.secureWeb.port}:open.test:${world.secureWeb.port} https://other.test:${world.secureWeb.port}/ 2>&1`,
      );
      await sandbox.kill();
      const record = await denials(world, sandbox.sandboxId);
      return judged(world.secureWeb.requests.length === before && /TLS names other\.test/.test(record), seen);
    },
  },
  {
    tried: "TLS without a name (SNI) under an allow-list",
    must: "refused: it cannot be checked",
    async run(world) {
      const sandbox = await onlyOpen(world);
      const before = world.secureWeb.requests.length;
      const seen = await world.python(
        sandbox,
        `
import socket, ssl
s = socket.create_connection(('127.0.0.1', 3128), 5)
s.sendall(b'CONNECT open.test:${world.secureWeb.port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); s.recv(200)
c = ssl._create_unverified_context()
try:
    c.wrap_socket(s).sendall(b'GET / HTTP/1.1\\r\\nHost: open.test\\r\\n\\r\\n'); print('OPENED')
except OSError as error: print(error)
`,
      );
      await sandbox.kill();
      return judged(!seen.includes("OPENED") && world.secureWeb.requests.length === before, seen);
    },
  },
  {
    tried: "an encrypted hello (ECH) that hides the name, under an allow-list",
    must: "refused: it cannot be checked",
    async run(world) {
      const sandbox = await onlyOpen(world);
      const name = Buffer.from("open.test");
      const sni = Buffer.concat([Buffer.from([0, 0, 0, name.length + 5, 0, name.length + 3, 0, 0, name.length]), name]);
      const ech = Buffer.from([0xfe, 0x0d, 0, 4, 0, 1, 2, 3]);
      const extensions = Buffer.concat([Buffer.from([0, sni.length + ech.length]), sni, ech]);
      const body = Buffer.concat([
        Buffer.from([3, 3]),
        Buffer.alloc(32, 7),
        Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0]),
        extensions,
      ]);
      const hello = Buffer.concat([Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length]), body]);
      await world.python(
        sandbox,
        `
import socket
s = socket.create_connection(('127.0.0.1', 3128), 5)
s.sendall(b'CONNECT open.test:${world.secureWeb.port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); s.recv(200)
s.sendall(bytes.fromhex('${hello.toString("hex")}')); s.settimeout(3)
try: print(s.recv(10))
except OSError as error: print(error)
`,
      );
      const record = await denials(world, sandbox.sandboxId);
      await sandbox.kill();
      return judged(record.includes("ECH"), record.split("\n")[1] ?? "nothing on record");
    },
  },
  {
    tried: "SOCKS 5 to private addresses, UDP association and listening",
    must: "refused with the protocol's own codes",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import socket, struct
def ask(command, kind, address, port):
    s = socket.create_connection(('127.0.0.1', 3128), 5)
    s.sendall(b'\\x05\\x01\\x00'); s.recv(2)
    s.sendall(bytes([5, command, 0, kind]) + address + struct.pack('>H', port))
    return s.recv(10)[1]
print([ask(1, 1, bytes([127, 0, 0, 1]), 80), ask(1, 1, bytes([169, 254, 169, 254]), 80), ask(1, 3, b'\\x0910.0.0.10', 80), ask(2, 1, bytes(4), 80), ask(3, 1, bytes(4), 53)])
`,
      );
      return judged(seen.trim() === "[2, 2, 2, 7, 7]", `replies ${seen}`);
    },
  },
]);
