import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

/** Asks an agent for a file with a token; what the gateway said. */
async function asks(
  world: HostileWorld,
  token: string,
  sandbox = world.victim,
): Promise<{ status: number; text: string }> {
  const { origin, pathname } = new URL((await sandbox.getInfo()).publicHost);
  return ask(origin, `${pathname.replace(/\/$/, "")}/files/read?path=/workspace/secret.txt`, {
    headers: { authorization: `Bearer ${token}` },
  });
}

export const attempts = attemptsOf("gateway", [
  {
    tried: "a token of one's own for another sandbox",
    must: "401 or 403, and nothing of the other sandbox",
    async run(world) {
      const { status, text } = await asks(world, await world.attacker.getToken());
      return judged((status === 401 || status === 403) && !text.includes(world.victimMarker), `gateway: ${status}`);
    },
  },
  {
    tried: "the stolen token of a sandbox that has ended",
    must: "refused, the end is told",
    async run(world) {
      const sandbox = await world.create();
      const token = await sandbox.getToken();
      const { publicHost } = await sandbox.getInfo();
      await sandbox.kill();
      const { status } = await ask(new URL(publicHost).origin, `${new URL(publicHost).pathname}/info`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return judged(status === 410 || status === 401, `gateway: ${status}`);
    },
  },
  {
    tried: "another sandbox by path tricks with one's own token",
    must: "the token's sandbox or nothing",
    async run(world) {
      const { origin, pathname } = new URL((await world.attacker.getInfo()).publicHost);
      const own = pathname.replace(/\/$/, "");
      const other = `/s/${world.victim.sandboxId}`;
      const headers = { authorization: `Bearer ${await world.attacker.getToken()}` };
      const rest = "/files/read?path=/workspace/secret.txt";
      const paths = [
        `${other}${rest}`,
        `${own}/..${other}${rest}`,
        `${own}/%2e%2e/${world.victim.sandboxId}${rest}`,
        `/${other}${rest}`,
        `${own}%2f..%2f${world.victim.sandboxId}${rest}`,
      ];
      const seen = [];
      for (const path of paths) seen.push(await ask(origin, path, { headers }));
      const forwarded = await ask(origin, rest, {
        headers: {
          ...headers,
          "x-forwarded-host": `7777-${world.victim.sandboxId}.test`,
          "x-forwarded-for": "127.0.0.1",
          "x-sandbox-id": world.victim.sandboxId,
        },
      });
      const leaked = [...seen, forwarded].some(({ text }) => text.includes(world.victimMarker));
      return judged(!leaked, `gateway: ${[...seen, forwarded].map(({ status }) => status).join(", ")}`);
    },
  },
]);
