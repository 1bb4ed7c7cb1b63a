import { attemptsOf, judged } from "../attempt.ts";

const to = (world: { web: { port: number } }, address: string) =>
  `http://open.test:${world.web.port}/to?${encodeURIComponent(address)}`;

export const attempts = attemptsOf("redirects", [
  {
    tried: "a redirect to the metadata service",
    must: "the next request is judged like any other",
    async run(world) {
      const seen = await world.shell(world.attacker, `curl -sSL -m 8 '${to(world, "http://169.254.169.254/latest/")}'`);
      return judged(seen.includes("not a public address"), seen);
    },
  },
  {
    tried: "a redirect to a service of the host",
    must: "refused",
    async run(world) {
      const address = `http://127.0.0.1:${world.hostService.port}/`;
      const seen = await world.shell(world.attacker, `curl -sSL -m 8 --noproxy '' '${to(world, address)}'`);
      return judged(world.hostService.hits() === 0 && seen.includes("not a public address"), seen);
    },
  },
  {
    tried: "a redirect from an allowed host to one that is not on the list",
    must: "refused",
    async run(world) {
      const sandbox = await world.create({
        network: { mode: "allow-list", rules: [{ host: "open.test", ports: [world.web.port] }] },
      });
      const seen = await world.shell(sandbox, `curl -sSL -m 8 '${to(world, `http://other.test:${world.web.port}/`)}'`);
      await sandbox.kill();
      return judged(seen.includes("not on the sandbox's allow-list"), seen);
    },
  },
  {
    tried: "a callback of an execution to the host, to metadata and to the platform",
    must: "callbacks take the sandbox's own way out",
    async run(world) {
      const { attacker, hostService, platform } = world;
      const urls = [
        `http://127.0.0.1:${hostService.port}/`,
        "http://169.254.169.254/",
        `http://127.0.0.1:${platform.port}/v1/sandboxes`,
      ];
      const { publicHost } = await attacker.getInfo();
      const answers = [];
      for (const url of urls) {
        const answer = await fetch(`${publicHost}/execute/async`, {
          method: "POST",
          headers: { authorization: `Bearer ${await attacker.getToken()}`, "content-type": "application/json" },
          body: JSON.stringify({ code: "print(1)", language: "python", callback_url: url }),
        });
        answers.push(answer.status);
      }
      const record = await until(async () => {
        const listed = await world.cli([
          "egress",
          "list",
          "--sandbox",
          attacker.sandboxId,
          "--denied",
          "--limit",
          "50",
        ]);
        return listed.includes(`127.0.0.1:${hostService.port}`) ? listed : null;
      });
      return judged(
        hostService.hits() === 0 && record !== null,
        `taken (${answers.join(", ")}), then refused by the proxy and on record`,
      );
    },
  },
]);

async function until<T>(look: () => Promise<T | null>): Promise<T | null> {
  for (const giveUpAt = Date.now() + 10_000; Date.now() < giveUpAt; ) {
    const seen = await look();
    if (seen !== null) return seen;
  }
  return null;
}
