import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

const rule = (world: HostileWorld, more: object = {}) => ({ host: "open.test", ports: [world.web.port], ...more });

async function put({ platform }: HostileWorld, id: string, policy: object): Promise<void> {
  await fetch(`${platform.url}/v1/sandboxes/${id}/network`, {
    method: "PUT",
    headers: { "x-api-key": platform.apiKey, "content-type": "application/json" },
    body: JSON.stringify(policy),
  });
}

export const attempts = attemptsOf("policy", [
  {
    tried: "a host that is not on the allow-list, by HTTP, CONNECT and SOCKS",
    must: "refused in each language",
    async run(world) {
      const sandbox = await world.create({ network: { mode: "allow-list", rules: [rule(world)] } });
      const url = `http://other.test:${world.web.port}/`;
      const seen = await world.shell(
        sandbox,
        `curl -s -m 5 -o /dev/null -w '%{http_code} ' ${url}; curl -s -m 5 -p -o /dev/null -w '%{http_connect} ' ${url}; curl -sS -m 5 --socks5-hostname 127.0.0.1:3128 ${url} 2>&1`,
      );
      await sandbox.kill();
      return judged(/^403 403 curl: \(97\)/.test(seen), seen);
    },
  },
  {
    tried: "a name that only ends like an allowed one",
    must: "wildcards match whole labels",
    async run(world) {
      const sandbox = await world.create({
        network: { mode: "allow-list", rules: [{ host: "*.test", ports: [world.web.port] }, "open.test"] },
      });
      const seen = await world.shell(
        sandbox,
        `for h in evilopen.test.example.com test xtest notopen-test open.test.evil.example; do curl -s -m 5 -o /dev/null -w '%{http_code} ' http://$h:${world.web.port}/; done`,
      );
      await sandbox.kill();
      return judged(/^(403 ){5}$/.test(`${seen.trim()} `), seen);
    },
  },
  {
    tried: "another port of an allowed host",
    must: "refused",
    async run(world) {
      const sandbox = await world.create({ network: { mode: "allow-list", rules: [rule(world)] } });
      const seen = await world.shell(
        sandbox,
        `curl -s -m 5 -o /dev/null -w '%{http_code}' http://open.test:${world.secureWeb.port}/`,
      );
      await sandbox.kill();
      return judged(seen === "403", seen);
    },
  },
  {
    tried: "a method and a path that the rule leaves out, also by dots and by encoding",
    must: "refused after the path was made plain",
    async run(world) {
      const sandbox = await world.create({
        network: { mode: "allow-list", rules: [rule(world, { methods: ["GET"], paths: ["/v1"] })] },
      });
      const before = world.web.requests.length;
      const base = `http://open.test:${world.web.port}`;
      const seen = await world.shell(
        sandbox,
        `ask() { curl -s -m 5 --path-as-is -o /dev/null -w '%{http_code} ' "$@"; }; ask ${base}/v1/ok; ask -X POST ${base}/v1/ok; ask ${base}/v1/../admin; ask ${base}/v1/%2e%2e/admin; ask ${base}/v1x; ask ${base}//v1; ask -X get ${base}/v1/ok`,
      );
      await sandbox.kill();
      const paths = world.web.requests.slice(before).map(({ path }) => path);
      return judged(seen.startsWith("200 403 403 403 403 403 4") && paths.length === 1, seen);
    },
  },
  {
    tried: "an upgrade to get past the limits of methods",
    must: "its opening request is judged as well",
    async run(world) {
      const sandbox = await world.create({
        network: { mode: "allow-list", rules: [rule(world, { methods: ["POST"] })] },
      });
      const before = world.web.requests.length;
      const seen = await world.shell(
        sandbox,
        `curl -s -m 5 -p -i -N -H 'Connection: Upgrade' -H 'Upgrade: websocket' http://open.test:${world.web.port}/ws | head -20`,
      );
      await sandbox.kill();
      return judged(world.web.requests.length === before && seen.includes("403"), seen);
    },
  },
  {
    tried: "keep using a connection that a new policy refuses",
    must: "cut within a second",
    async run(world) {
      const sandbox = await world.create({ network: { mode: "observe" } });
      const running = world.python(
        sandbox,
        `
import socket, time
s = socket.create_connection(('127.0.0.1', 3128), 5)
s.sendall(b'CONNECT open.test:${world.web.port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); s.recv(200)
s.settimeout(15); began = time.time()
try: rest = s.recv(10)
except OSError as error: rest = error
print('ended', rest, 'STILL' if time.time() - began > 14 else '')
`,
      );
      await new Promise((resolve) => setTimeout(resolve, 700));
      await put(world, sandbox.sandboxId, { mode: "deny-all" });
      const seen = await running;
      await sandbox.kill();
      return judged(seen.includes("ended") && !seen.includes("STILL"), seen);
    },
  },
  {
    tried: "change its own policy from inside",
    must: "the control plane is not reachable, and asks for an API key",
    async run(world) {
      const path = `/v1/sandboxes/${world.attacker.sandboxId}/network`;
      const inside = await world.shell(
        world.attacker,
        `curl -s -m 5 --noproxy '' -X PUT -d '{"mode":"observe"}' http://127.0.0.1:${world.platform.port}${path} -o /dev/null -w '%{http_code}'`,
      );
      const token = await world.attacker.getToken();
      const outside = await fetch(world.platform.url + path, {
        method: "PUT",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ mode: "observe" }),
      });
      return judged(
        inside === "403" && outside.status === 401,
        `inside ${inside}, with the sandbox's token ${outside.status}`,
      );
    },
  },
  {
    tried: "with deny-all: everything, the proxy's own loopback port included",
    must: "nothing goes out, not even a name",
    async run(world) {
      const sandbox = await world.create({ internet_access: false });
      const seen = await world.shell(
        sandbox,
        `curl -s -m 5 -o /dev/null -w '%{http_code} ' -x http://127.0.0.1:3128 http://open.test:${world.web.port}/; curl -sS -m 5 --socks5-hostname 127.0.0.1:3128 http://open.test/ 2>&1`,
      );
      await sandbox.kill();
      return judged(/^(403|000) curl: \((97|7)\)/.test(seen), seen);
    },
  },
]);
