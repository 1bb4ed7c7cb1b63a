import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Parts {
  readonly key: KeyObject;
  readonly header: Fields;
  readonly claims: Fields;
  /** Of a token of the attacker's own. */
  readonly ownSignature: string;
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (text = "") => JSON.parse(Buffer.from(text, "base64url").toString()) as Fields;
const unsigned = (header: Fields, claims: Fields) => `${encode(header)}.${encode(claims)}`;

function signed(key: KeyObject, header: Fields, claims: Fields): string {
  const text = unsigned(header, claims);
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

async function baseOf(sandbox: HostileWorld["victim"]): Promise<{ origin: string; base: string }> {
  const { origin, pathname } = new URL((await sandbox.getInfo()).publicHost);
  return { origin, base: pathname.replace(/\/$/, "") };
}

const secretFile = "/files/read?path=/workspace/secret.txt";

async function read({ victim }: HostileWorld, headers: Readonly<Record<string, string>>) {
  const { origin, base } = await baseOf(victim);
  return ask(origin, base + secretFile, { headers });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/**
 * Tokens for the victim's sandbox, whose claims are all as they must be (audience and generation too), so that the signature alone
 * decides: the same claims signed by the platform's key must open the file first.
 */
const forged = (name: string, forge: (parts: Parts) => readonly string[]) => ({
  tried: `the victim's claims ${name}`,
  must: "401 or 403, where the platform's signature of the same claims is taken",
  async run(world: HostileWorld) {
    const [first, second] = (await world.victim.getToken()).split(".");
    const [header, claims] = [decode(first), decode(second)];
    const key = createPrivateKey(readFileSync(join(world.platform.home, "signing-key.pem")));
    const [, , ownSignature = ""] = (await world.attacker.getToken()).split(".");
    const right = await read(world, bearer(signed(key, header, claims)));
    const statuses: number[] = [];
    for (const token of forge({ key, header, claims, ownSignature })) {
      const { status, text } = await read(world, bearer(token));
      statuses.push(text.includes(world.victimMarker) ? 200 : status);
    }
    const refused = statuses.length > 0 && statuses.every((status) => status === 401 || status === 403);
    return judged(
      right.text.includes(world.victimMarker) && refused,
      `gateway: ${statuses.join(", ")}; with the platform's signature: ${right.status}`,
    );
  },
});

function publicKeys(key: KeyObject): readonly Buffer[] {
  const open = createPublicKey(key);
  return [
    Buffer.from(open.export({ type: "spki", format: "pem" })),
    Buffer.from(open.export({ type: "spki", format: "pem" }).toString().trim()),
    open.export({ type: "spki", format: "der" }),
    Buffer.from(JSON.stringify(open.export({ format: "jwk" }))),
  ];
}

/** Writes bytes to the gateway and gives back all that comes until it closes or is silent for a while. */
function raw(origin: string, text: string, silenceMs = 1500): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve) => {
    let seen = "";
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setTimeout(silenceMs, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => (seen += chunk.toString()));
    socket.on("error", () => {});
    socket.on("close", () => resolve(seen));
  });
}

const statusesIn = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => code).join(",");
const controlSaid = /last_activity_at|active_executions/;

export const attempts = attemptsOf("gateway", [
  forged("without a signature (alg none, four spellings, with and without bytes in its place)", (parts) =>
    ["none", "None", "NONE", ""].flatMap((alg) => {
      const text = unsigned({ ...parts.header, alg }, parts.claims);
      return [`${text}.`, `${text}.${parts.ownSignature}`];
    }),
  ),
  forged("signed with the public key as a shared secret (HS256; PEM, DER and JWK)", ({ key, header, claims }) =>
    publicKeys(key).map((secret) => {
      const text = unsigned({ ...header, alg: "HS256" }, claims);
      return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
    }),
  ),
  forged("signed by a key of one's own (ES256)", ({ header, claims }) => [
    signed(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey, header, claims),
  ]),
  forged("under the signature of one's own token, a cut one, zeros, and none", ({ header, claims, ownSignature }) =>
    [ownSignature, ownSignature.slice(0, -4), Buffer.alloc(64).toString("base64url"), ""].map(
      (signature) => `${unsigned(header, claims)}.${signature}`,
    ),
  ),
  forged("of the generation before and after (a revoked token)", ({ key, header, claims }) =>
    [-1, 1].map((step) => signed(key, header, { ...claims, gen: Number(claims["gen"]) + step })),
  ),
  {
    tried: "one's own token for the victim as API key, cookie, query and second header",
    must: "401 or 403, where the victim's token opens the file",
    async run(world) {
      const [own, theirs] = [await world.attacker.getToken(), await world.victim.getToken()];
      const right = await read(world, bearer(theirs));
      const { origin, base } = await baseOf(world.victim);
      const answers = [
        await read(world, { "x-api-key": own }),
        await read(world, { cookie: `bulkhead_token=${own}` }),
        await read(world, { ...bearer(own), "x-api-key": own }),
        await ask(origin, `${base}${secretFile}&bulkhead_token=${own}`),
        await ask(origin, `/p/${world.victim.sandboxId}/7777${secretFile}&bulkhead_token=${own}`),
        await ask(origin, `/p/${world.victim.sandboxId}/8099/secret.txt?bulkhead_token=${own}`),
      ];
      const statuses = answers.map(({ status }) => status);
      return judged(
        right.text.includes(world.victimMarker) &&
          statuses.every((status) => status === 401 || status === 403) &&
          answers.every(({ text }) => !text.includes(world.victimMarker)),
        `gateway: ${statuses.join(", ")}; the victim's own token: ${right.status}`,
      );
    },
  },
  {
    tried: "the victim named in Host, X-Forwarded-*, Forwarded, X-Original-URL and X-Bulkhead-* headers",
    must: "the token's sandbox answers",
    async run(world) {
      const { origin } = await baseOf(world.attacker);
      const token = bearer(await world.attacker.getToken());
      await world.attacker.files.write("/workspace/secret.txt", "attackers-own");
      const { sandboxId } = world.victim;
      const names = [`7777-${sandboxId}.localhost`, `${sandboxId}.localhost`, `7777-${sandboxId}.127.0.0.1.nip.io`];
      const sets: Record<string, string>[] = [
        ...names.map((host) => ({ host })),
        ...names.map((host) => ({ "x-forwarded-host": host, forwarded: `host=${host};for=127.0.0.1` })),
        { "x-original-url": `/s/${sandboxId}${secretFile}`, "x-rewrite-url": `/s/${sandboxId}${secretFile}` },
        { "x-forwarded-prefix": `/s/${sandboxId}`, "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1" },
        { "x-bulkhead-sandbox": sandboxId, "x-bulkhead-sandbox-id": sandboxId, "x-sandbox-id": sandboxId },
      ];
      const answers = [];
      for (const headers of sets) answers.push(await ask(origin, secretFile, { headers: { ...token, ...headers } }));
      const own = answers.filter(({ text }) => text.includes("attackers-own")).length;
      const leaked = answers.filter(({ text }) => text.includes(world.victimMarker)).length;
      return judged(
        leaked === 0 && own > 0,
        `of ${sets.length} answers ${own} were one's own file, ${leaked} the victim's`,
      );
    },
  },
  {
    tried: "the agent's control routes by the preview of its own port, and a port header of one's own",
    must: "refused; the header is not passed on",
    async run(world) {
      const { origin, base } = await baseOf(world.attacker);
      const token = bearer(await world.attacker.getToken());
      const { sandboxId } = world.attacker;
      const ways = [
        "_bulkhead/state",
        "%5fbulkhead/state",
        "x/../_bulkhead/state",
        "/_bulkhead/state",
        "_bulkhead%2fstate",
      ];
      const answers = [];
      for (const way of ways) answers.push(await ask(origin, `/p/${sandboxId}/7777/${way}`, { headers: token }));
      for (const port of ["0", "65536", "99999", "-1", "7777x", "0x1e61"])
        answers.push(await ask(origin, `/p/${sandboxId}/${port}/info`, { headers: token }));
      answers.push(await ask(origin, `http://x/_bulkhead/state`, { headers: token }));
      const withHeader = await ask(origin, `${base}/info`, { headers: { ...token, "x-bulkhead-port": "1" } });
      const bad = answers.filter(({ status, text }) => status < 400 || controlSaid.test(text));
      return judged(
        bad.length === 0 && withHeader.status === 200 && withHeader.text.includes(sandboxId),
        `gateway: ${answers.map(({ status }) => status).join(", ")}; /info with a port header: ${withHeader.status}`,
      );
    },
  },
  {
    tried: "a second request hidden in the first (CL.TE, TE.CL, doubled lengths, bare line feeds, obs-fold)",
    must: "no control route and no other sandbox answers",
    async run(world) {
      const { origin, base } = await baseOf(world.attacker);
      const token = `Authorization: Bearer ${await world.attacker.getToken()}`;
      const hidden = [
        "GET /_bulkhead/state HTTP/1.1\r\nHost: a\r\n\r\n",
        `GET ${secretFile} HTTP/1.1\r\nHost: a\r\n\r\n`,
      ];
      await world.attacker.files.remove("/workspace/secret.txt").catch(() => undefined);
      const head = `POST ${base}/execute HTTP/1.1\r\nHost: a\r\n${token}\r\n`;
      const heads = (body: string) => [
        `${head}Content-Length: ${body.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${body}`,
        `${head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
        `${head}Content-Length: 0\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        `${head}Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n${body}`,
        `${head}Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${body}`,
        `${head}X: y\n${token}\nContent-Length: 0\n\n${body}`,
        `${head}X: y\r\n Content-Length: ${body.length}\r\n\r\n${body}`,
        `GET ${base}/health HTTP/1.1\r\nHost: a\r\n${token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 9\r\n\r\n${body}`,
        `GET ${base}/stream HTTP/1.1\r\nHost: a\r\n${token}\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n${body}`,
      ];
      const seen = await Promise.all(hidden.flatMap(heads).map((text) => raw(origin, text)));
      const bad = seen.filter((text) => controlSaid.test(text) || text.includes(world.victimMarker));
      const answered = seen.filter((text) => text.startsWith("HTTP/1.1")).length;
      return judged(bad.length === 0 && answered > 5, seen.map((text) => statusesIn(text) || "closed").join(" "));
    },
  },
]);
