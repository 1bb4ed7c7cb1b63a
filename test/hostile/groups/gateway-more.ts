import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

type Fields = Readonly<Record<string, unknown>>;

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (text = "") => JSON.parse(Buffer.from(text, "base64url").toString()) as Fields;

function signed(key: KeyObject, header: Fields, claims: Fields): string {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

async function read({ victim }: HostileWorld, token: string) {
  const { origin, pathname } = new URL((await victim.getInfo()).publicHost);
  return ask(origin, `${pathname.replace(/\/$/, "")}/files/read?path=/workspace/secret.txt`, {
    headers: { authorization: `Bearer ${token}` },
  });
}

/**
 * Tokens for the victim's own sandbox with one thing wrong. Each is preceded by the same token with nothing wrong, which must open
 * the file: so that it is the one thing that was refused, and not a path or a claim that this test got wrong.
 */
const wrong = (name: string, forge: (platformKey: KeyObject, header: Fields, claims: Fields) => string) => ({
  tried: `a token ${name}`,
  must: "401 or 403, where the same token without the fault is taken",
  host: true,
  async run(world: HostileWorld) {
    const [first, second] = (await world.victim.getToken()).split(".");
    const [header, claims] = [decode(first), decode(second)];
    const key = createPrivateKey(readFileSync(join(world.platform.home, "signing-key.pem")));
    const right = await read(world, signed(key, header, claims));
    const { status, text } = await read(world, forge(key, header, claims));
    return judged(
      right.text.includes(world.victimMarker) &&
        (status === 401 || status === 403) &&
        !text.includes(world.victimMarker),
      `gateway: ${status}; without the fault: ${right.status}`,
    );
  },
});

const hourAgo = () => Math.floor(Date.now() / 1000) - 3600;
const own = generateKeyPairSync("ec", { namedCurve: "P-256" });

export const attempts = attemptsOf("gateway", [
  wrong("of the right key that has expired", (key, header, claims) =>
    signed(key, header, { ...claims, iat: hourAgo() - 3600, exp: hourAgo() }),
  ),
  wrong("of the right key without an end", (key, header, claims) =>
    signed(key, header, Object.fromEntries(Object.entries(claims).filter(([name]) => name !== "exp"))),
  ),
  wrong("for another audience", (key, header, claims) => signed(key, header, { ...claims, aud: "another" })),
  wrong("that brings its own key along (jwk)", (_, header, claims) =>
    signed(own.privateKey, { ...header, jwk: own.publicKey.export({ format: "jwk" }) }, claims),
  ),
  wrong("that says where its key is (jku, x5u)", (_, header, claims) =>
    signed(own.privateKey, { ...header, jku: "http://127.0.0.2/k", x5u: "http://127.0.0.2/c" }, claims),
  ),
  wrong("with a wrong key id, and a path as one (kid)", (_, header, claims) =>
    signed(own.privateKey, { ...header, kid: "../../../../dev/null" }, claims),
  ),
]);
