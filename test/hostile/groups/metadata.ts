import { attemptsOf, judged } from "../attempt.ts";

const ways = [
  ["decimal", "169.254.169.254"],
  ["as one integer", "2852039166"],
  ["in hexadecimal", "0xa9fea9fe"],
  ["in octal", "0251.0376.0251.0376"],
  ["mapped into IPv6", "[::ffff:169.254.169.254]"],
  ["through NAT64", "[64:ff9b::a9fe:a9fe]"],
  ["by IPv6", "[fd00:ec2::254]"],
  ["the credentials of a container", "169.254.170.2"],
  ["of another cloud by name", "metadata.google.internal"],
  ["of another cloud by address", "168.63.129.16"],
] as const;

export const attempts = attemptsOf(
  "metadata",
  ways.map(([how, host]) => ({
    tried: `instance metadata, ${how}`,
    must: "refused by the proxy, whatever the spelling",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        `curl -sS -m 5 -w ' %{http_code}' http://${host}/latest/meta-data/ 2>&1; curl -s -m 5 -p -o /dev/null -w ' %{http_connect}' http://${host}:80/; curl -s -m 5 -o /dev/null -w ' socks:%{http_code}' --socks5-hostname 127.0.0.1:3128 http://${host}/`,
      );
      return judged(!/ 200|socks:200|ami-id|iam/.test(seen) && /refused|resolved|unusual/.test(seen), seen);
    },
  })),
);
