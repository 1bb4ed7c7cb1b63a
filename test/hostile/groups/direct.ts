import { attemptsOf, judged } from "../attempt.ts";

/** Tries to connect from Python; says OPENED for what answered. */
const connects = (targets: readonly (readonly [string, number])[]) => `
import socket
for host, port in ${JSON.stringify(targets)}:
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET); s.settimeout(1.5)
    try:
        s.connect((host, port)); print('OPENED', host, port)
    except OSError as error: print(host, error)
`;

export const attempts = attemptsOf("direct", [
  {
    tried: "public IPv4 addresses without the proxy",
    must: "network is unreachable",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        connects([
          ["1.1.1.1", 443],
          ["93.184.216.34", 80],
        ]),
      );
      return judged(!seen.includes("OPENED") && seen.includes("unreachable"), seen);
    },
  },
  {
    tried: "public IPv6 addresses without the proxy",
    must: "network is unreachable",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        connects([
          ["2606:4700:4700::1111", 443],
          ["2001:4860:4860::8888", 53],
        ]),
      );
      return judged(!seen.includes("OPENED") && seen.includes("unreachable"), seen);
    },
  },
  {
    tried: "a service on the host's loopback",
    must: "the sandbox's loopback is its own",
    async run({ attacker, python, hostService }) {
      const seen = await python(
        attacker,
        connects([
          ["127.0.0.1", hostService.port],
          ["::1", hostService.port],
        ]),
      );
      return judged(!seen.includes("OPENED") && hostService.hits() === 0, seen);
    },
  },
  {
    tried: "the platform's own API and gateway on the host",
    must: "not reachable directly or through the proxy",
    async run({ attacker, python, shell, platform }) {
      const seen = await python(
        attacker,
        connects([
          ["127.0.0.1", platform.port],
          ["127.0.0.1", platform.gatewayPort],
        ]),
      );
      const proxied = await shell(attacker, `curl -sS -m 5 --noproxy '' http://127.0.0.1:${platform.port}/health`);
      return judged(!seen.includes("OPENED") && proxied.includes("not a public address"), proxied || seen);
    },
  },
  {
    tried: "addresses of the host's own interfaces through the proxy",
    must: "refused after resolution",
    async run({ attacker, shell, hostService }) {
      const seen = await shell(
        attacker,
        `for h in 127.0.0.1 127.1 0.0.0.0 0 [::1] [::ffff:127.0.0.1] [::] 2130706433 0x7f000001 0177.0.0.1 localhost; do curl -sS -m 5 --noproxy '' -o /dev/null -w "$h %{http_code}\\n" http://$h:${hostService.port}/; done 2>&1`,
      );
      return judged(!/ 200/.test(seen) && hostService.hits() === 0, seen);
    },
  },
  {
    tried: "private and carrier ranges through the proxy",
    must: "refused",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        `for h in 10.0.0.1 172.16.0.1 192.168.0.1 100.64.0.1 198.18.0.1 224.0.0.1 240.0.0.1 [fc00::1] [fe80::1] [64:ff9b::a00:1] [2002:a00:1::1] [::10.0.0.1]; do curl -sS -m 4 -o /dev/null -w "%{http_code} " http://$h/; done 2>&1`,
      );
      return judged(/^(4\d\d )+$/.test(`${seen.trim()} `), seen);
    },
  },
  {
    tried: "mail from the sandbox (port 25) through the proxy",
    must: "the port is closed",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "curl -sS -m 5 telnet://open.test:25 --proxytunnel -x http://127.0.0.1:3128 2>&1 </dev/null; curl -s -m 5 -p -x http://127.0.0.1:3128 http://open.test:25/ -o /dev/null -w '%{http_connect}'",
      );
      return judged(/403/.test(seen), seen);
    },
  },
]);
