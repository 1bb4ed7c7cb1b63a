import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttp, type IncomingMessage } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, createServer as createTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Sandbox } from "@hopx-ai/sdk";
import { systemClock as clock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";
import { makeClient } from "#test/e2e/support/client.ts";
import { bulkhead, type RunningPlatform, startPlatform } from "#test/e2e/support/platform.ts";

/** A platform, an attacker's sandbox and another's, and servers that must not be reached, or not like this. */
export interface HostileWorld {
  readonly platform: RunningPlatform;
  readonly attacker: Sandbox;
  readonly victim: Sandbox;
  /** In a file and in a process of the victim's. */
  readonly victimMarker: string;
  readonly limits: { readonly vcpu: number; readonly memoryMb: number; readonly diskMb: number };
  /** A service of the host on loopback, which no sandbox may reach. */
  readonly hostService: { readonly port: number; hits(): number };
  /** Servers that policies may name: `open.test`, `api.test` and `other.test` are all this machine's 127.0.0.2. */
  readonly web: { readonly port: number; readonly requests: readonly Seen[] };
  readonly secureWeb: { readonly port: number; readonly requests: readonly Seen[] };
  /** Value of the secret `vendor` in the platform's store. */
  readonly secretValue: string;
  /** What a shell in the sandbox prints, standard error included. */
  shell(sandbox: Sandbox, command: string, timeoutSeconds?: number): Promise<string>;
  /** A Python program in the sandbox; what it prints. */
  python(sandbox: Sandbox, program: string, timeoutSeconds?: number): Promise<string>;
  /** A sandbox of its own by the API, for what the published client cannot say. Killed at the end. */
  create(body?: Readonly<Record<string, unknown>>): Promise<Sandbox>;
  /** The `bulkhead` command as the operator. */
  cli(args: readonly string[], input?: string): Promise<string>;
  close(): Promise<void>;
}

export interface Seen {
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const servers = "127.0.0.2";
/** The second half stands for names that somebody lets point inside. */
const names = [
  ...["open", "api", "other"].map((name) => [`${name}.test`, servers] as const),
  ["inside.test", "10.0.0.1"],
  ["loop.test", "127.0.0.1"],
  ["meta.test", "169.254.169.254"],
] as const;

export async function openHostileWorld(): Promise<HostileWorld> {
  const cleanups: (() => unknown)[] = [];
  let hits = 0;
  const hostPort = await listening(
    createHttp((_, res) => {
      hits += 1;
      res.end("host service");
    }),
    "127.0.0.1",
    cleanups,
  );
  const web = await openWeb(cleanups);
  const platform = await startPlatform({
    env: {
      BULKHEAD_EGRESS_ALLOW: servers,
      BULKHEAD_EGRESS_HOSTS: names.map((pair) => pair.join("=")).join(","),
      BULKHEAD_EGRESS_TRUST: web.trust,
    },
  });
  cleanups.push(() => platform.stop());
  const cli = async (args: readonly string[], input = "") => {
    const done = await bulkhead([...args, "--url", platform.url, "--api-key", platform.apiKey], { input });
    return done.stdout + done.stderr;
  };
  const secretValue = `vendor-${crypto.randomUUID()}`;
  await cli(["secrets", "set", "vendor"], secretValue);
  const client = makeClient(platform);
  const victimMarker = `victim-${crypto.randomUUID().slice(0, 13)}`;
  const [attacker, victim] = [await client.create(), await client.create({ envVars: { HIDDEN: victimMarker } })];
  await victim.files.write("/workspace/secret.txt", victimMarker);
  await victim.commands.run("cp /workspace/secret.txt /tmp/; (sleep 987654321 >/dev/null 2>&1 &)");
  const { memoryMb = 512, vcpu = 1, diskMb = 1024 } = (await attacker.getInfo()).resources ?? {};
  return {
    ...{ platform, attacker, victim, victimMarker, secretValue, cli },
    limits: { vcpu, memoryMb, diskMb },
    hostService: { port: hostPort, hits: () => hits },
    web: web.plain,
    secureWeb: web.secure,
    shell: async (sandbox, command, timeout = 30) => {
      const { stdout, stderr } = await sandbox.commands.run(command, { timeout });
      return stdout + stderr;
    },
    python: async (sandbox, program, timeout = 30) => {
      const encoded = Buffer.from(program).toString("base64");
      const { stdout, stderr } = await sandbox.commands.run(`echo ${encoded} | base64 -d | python3 -`, { timeout });
      return stdout + stderr;
    },
    create: async (body = {}) => {
      const answer = await fetch(`${platform.url}/v1/sandboxes`, {
        method: "POST",
        headers: { "x-api-key": platform.apiKey, "content-type": "application/json" },
        body: JSON.stringify({ template_name: "base", ...body }),
      });
      const { id } = (await answer.json()) as { id: string };
      return Sandbox.connect(id, platform.apiKey, platform.url);
    },
    async close() {
      for (const cleanup of cleanups.reverse()) await cleanup();
    },
  };
}

async function openWeb(cleanups: (() => unknown)[]) {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-hostile-"));
  cleanups.push(() => rm(directory, { recursive: true }));
  const certificates = makeCertificates({ authority: await makeAuthority({ deployment: "web", clock }), clock });
  const trust = join(directory, "ca.pem");
  await writeFile(trust, certificates.caPem);
  const plain: Seen[] = [];
  const secure: Seen[] = [];
  const plainPort = await listening(createHttp(remember(plain)), servers, cleanups);
  const SNICallback = (name: string, done: (error: Error | null, context?: never) => void) =>
    void certificates.contextFor(name).then((context) => done(null, context as never), done);
  const server = createHttps({ SNICallback }, remember(secure)).on("tlsClientError", () => {});
  const securePort = await listening(server, servers, cleanups);
  return { trust, plain: { port: plainPort, requests: plain }, secure: { port: securePort, requests: secure } };
}

/** `/to?<address>` redirects there; everything else is remembered and said back: `/gzip` compressed, unasked; `/before` with the last Authorization. */
function remember(requests: Seen[]): Parameters<typeof createHttp>[1] {
  return (req, res) => {
    let body = "";
    req.on("data", (chunk: Buffer) => (body += chunk.toString()));
    req.on("end", () => {
      const { url: path = "", method = "", headers } = req;
      const before = requests.findLast((request) => request.headers.authorization !== undefined)?.headers.authorization;
      requests.push({ host: headers.host ?? "", path, method, headers, body });
      const to = /^\/to\?(.*)$/.exec(path)?.[1];
      const said = `served ${headers.host ?? ""} ${path} ${JSON.stringify(headers)} ${body}`;
      if (to !== undefined) res.writeHead(302, { location: decodeURIComponent(to) }).end();
      else if (path === "/gzip") res.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(said));
      else res.end(path === "/before" ? `${said} before: ${before ?? "nothing"}` : said);
    });
  };
}

async function listening(
  server: ReturnType<typeof createTcp>,
  host: string,
  cleanups: (() => unknown)[],
): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}
