import { attemptsOf, judged } from "../attempt.ts";

const refused = /Errno|Error|refused|not permitted|denied|unreachable/;

export const attempts = attemptsOf("sockets", [
  {
    tried: "raw, packet, netlink-route and vsock sockets",
    must: "none can send anything out",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import socket
kinds = [(socket.AF_INET, socket.SOCK_RAW, 1), (17, socket.SOCK_RAW, 3), (socket.AF_INET6, socket.SOCK_RAW, 58), (40, socket.SOCK_STREAM, 0)]
for family, kind, proto in kinds:
    try:
        socket.socket(family, kind, proto); print('OPENED', family, kind)
    except OSError as error: print(family, error)
`,
      );
      return judged(!seen.includes("OPENED"), seen);
    },
  },
  {
    tried: "network interfaces, routes and neighbours to use",
    must: "loopback only, no route",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "cat /proc/net/dev | tail -n +3 | cut -d: -f1; tail -n +2 /proc/net/route; tail -n +2 /proc/net/arp",
      );
      return judged(seen.trim() === "lo", `interfaces: ${seen}`);
    },
  },
  {
    tried: "make an interface, a tunnel or a route",
    must: "not permitted",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import fcntl, os, socket, struct
try:
    f = os.open('/dev/net/tun', os.O_RDWR); print('OPENED tun')
except OSError as error: print('tun:', error)
s = socket.socket()
try:
    fcntl.ioctl(s, 0x8914, struct.pack('16sH14s', b'lo', 0x41, b'')); print('OPENED lo flags')
except OSError as error: print('flags:', error)
`,
      );
      return judged(!seen.includes("OPENED") && refused.test(seen), seen);
    },
  },
  {
    tried: "abstract and file sockets of the host (docker, systemd, dbus, the platform)",
    must: "none is there",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "ls -d /var/run/docker.sock /run/docker.sock /run/systemd /run/dbus /run/bulkhead /var/run/*.sock 2>/dev/null; grep -c . /proc/net/unix; grep -o '@.*' /proc/net/unix | head -5; true",
      );
      const found = seen
        .split("\n")
        .filter((line) => line.startsWith("/") && !/^\/(var\/)?run\/bulkhead\/?$/.test(line));
      return judged(found.length === 0 && !seen.includes("@"), found.join(" ") || "no socket file, no abstract name");
    },
  },
  {
    tried: "the proxy's own socket, without the agent's relay",
    must: "cannot be opened by user code",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import socket
for path in ('/run/bulkhead/egress.sock', '/run/bulkhead/agent.sock'):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path); print('OPENED', path)
    except OSError as error: print(path, error)
`,
      );
      return judged(!seen.includes("OPENED"), seen);
    },
  },
]);
