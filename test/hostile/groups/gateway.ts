import { createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (text = "") => JSON.parse(Buffer.from(text, "base64url").toString()) as Record<string, unknown>;

interface Token {
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  readonly signature: string;
}

async function tokenOf({ attacker }: HostileWorld): Promise<Token> {
  const [header, claims, signature = ""] = (await attacker.getToken()).split(".");
  return { header: decode(header), claims: decode(claims), signature };
}

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

const refusedTo = (name: string, forge: (world: HostileWorld, token: Token) => Promise<string> | string) => ({
  tried: `a token ${name}`,
  must: "401 or 403, and nothing of the other sandbox",
  async run(world: HostileWorld) {
    const { status, text } = await asks(world, await forge(world, await tokenOf(world)));
    return judged((status === 401 || status === 403) && !text.includes(world.victimMarker), `gateway: ${status}`);
  },
});

export const attempts = attemptsOf("gateway", [
  refusedTo("of one's own for another sandbox", ({ attacker }) => attacker.getToken()),
  refusedTo("without a signature (alg none)", ({ victim }, { claims }) => {
    return `${encode({ alg: "none", typ: "JWT" })}.${encode({ ...claims, sub: victim.sandboxId })}.`;
  }),
  refusedTo("signed with the public key as a shared secret (HS256)", ({ victim, platform }, { header, claims }) => {
    const pem = createPublicKey(readFileSync(join(platform.home, "signing-key.pem"))).export({
      type: "spki",
      format: "pem",
    });
    const text = `${encode({ ...header, alg: "HS256" })}.${encode({ ...claims, sub: victim.sandboxId })}`;
    return `${text}.${createHmac("sha256", pem).update(text).digest("base64url")}`;
  }),
  refusedTo("signed by a key of one's own", ({ victim }, { header, claims }) => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const text = `${encode(header)}.${encode({ ...claims, sub: victim.sandboxId })}`;
    return `${text}.${sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }),
  refusedTo("with another subject and the old signature", ({ victim }, { header, claims, signature }) => {
    return `${encode(header)}.${encode({ ...claims, sub: victim.sandboxId })}.${signature}`;
  }),
  refusedTo("that is the other sandbox's own, with its signature changed", async ({ victim }) => {
    const token = await victim.getToken();
    const end = token.slice(-10);
    return token.slice(0, -10) + (end.startsWith("A") ? "B" : "A") + end.slice(1);
  }),
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
