import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import dynalite from "dynalite";
import { ensureTable, makeDynamoStores } from "#aws/stores.ts";
import { systemClock } from "#core/system-clock.ts";
import { makeTokenSigner } from "#core/token-signing.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { startJsonService, testCredentials } from "#test/support/json-service.ts";
import { edgeFiles } from "../../../scripts/build-images.mjs";

const region = "eu-west-1";
const table = "bulkhead-edge";
export const host = "127.0.0.1";

/** A program of the edge image, as its container starts it. */
export interface Program {
  readonly port: number;
  readonly process: ChildProcess;
  /** Lines that it has written, parsed. */
  lines(): readonly Readonly<Record<string, unknown>>[];
  /** What it wrote to stderr. */
  errors(): string;
  /** Exit code. */
  stop(): Promise<number | null>;
}

export type World = Awaited<ReturnType<typeof openWorld>>;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** SHA-256 of the certificate that is shown at a port, once something listens there. */
export async function fingerprintAt(port: number): Promise<string> {
  for (;;) {
    const socket = connect({ host, port, rejectUnauthorized: false });
    try {
      await once(socket, "secureConnect");
      return socket.getPeerCertificate().fingerprint256.replaceAll(":", "").toLowerCase();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      socket.destroy();
    }
  }
}

/** What the agent says that it will show the egress proxy, hashed. */
export function egressKeyHashAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host, port, path: "/_bulkhead/state", rejectUnauthorized: false }, (res) => {
      let text = "";
      res.on("data", (chunk) => (text += String(chunk)));
      res.on("end", () => resolve((JSON.parse(text) as { egress_key_hash: string }).egress_key_hash));
    }).on("error", reject);
  });
}

/** A table in dynalite, a key service that knows one public key, and the edge's programs, which find both by the SDK's own variables. */
export async function openWorld() {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-edge-"));
  for (const [name, text] of Object.entries(await edgeFiles())) await writeFile(join(directory, name), text);
  const database = dynalite({ createTableMs: 0 });
  database.listen(0, host);
  await once(database, "listening");
  const endpoint = `http://${host}:${(database.address() as AddressInfo).port}`;
  const client = DynamoDBDocumentClient.from(new DynamoDBClient({ region, endpoint, credentials: testCredentials }));
  await ensureTable(client, table, systemClock);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keyService = await startJsonService(({ operation }) => ({
    body:
      operation === "GetPublicKey"
        ? { KeyUsage: "SIGN_VERIFY", PublicKey: publicKey.export({ type: "spki", format: "der" }).toString("base64") }
        : {},
  }));
  const programs: Program[] = [];

  const variables = (port: number) => ({
    // The SDK's remark on Node.js 20; the image has 22.
    NODE_NO_WARNINGS: "1",
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_ENDPOINT_URL_DYNAMODB: endpoint,
    AWS_ENDPOINT_URL_KMS: keyService.options.endpoint,
    BULKHEAD_DEPLOYMENT: "test",
    BULKHEAD_TABLE: table,
    BULKHEAD_SIGNING_KEY: "alias/signing",
    BULKHEAD_SANDBOX_CIDR: "127.0.0.0/8",
    BULKHEAD_ACCESS_ROLE_ARN: "arn:aws:iam::123456789012:role/test-sandbox-access",
    BULKHEAD_DATA_KEY: "alias/data",
    BULKHEAD_SECRET_PREFIX: "test/",
    BULKHEAD_PORT: String(port),
  });

  async function start(
    name: "gateway" | "egress-proxy",
    more: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Program> {
    const port = await freePort();
    const child = spawn(process.execPath, [join(directory, `${name}.mjs`)], { env: { ...variables(port), ...more } });
    const program = watch(child, port);
    programs.push(program);
    return program;
  }

  return {
    stores: makeDynamoStores({ client, table, clock: systemClock, logger: noopLogger }),
    signer: makeTokenSigner(systemClock, (input) =>
      Promise.resolve(sign("sha256", input, { key: privateKey, dsaEncoding: "ieee-p1363" })),
    ),
    keyCalls: keyService.calls,
    start,
    /** Starts a program and waits until it says that it listens. */
    async run(...asked: Parameters<typeof start>): Promise<Program> {
      const program = await start(...asked);
      await until(() => {
        if (program.process.exitCode !== null) throw new Error(program.errors());
        return program.lines().some(({ message }) => message === "listening");
      });
      return program;
    },
    async end() {
      for (const program of programs) program.process.kill("SIGKILL");
      client.destroy();
      await keyService.stop();
      database.closeAllConnections();
      database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function watch(child: ChildProcess, port: number): Program {
  const [out, errors] = [{ text: "" }, { text: "" }];
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (out.text += chunk));
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (errors.text += chunk));
  const exited = once(child, "close");
  return {
    port,
    process: child,
    lines: () => out.text.split("\n").flatMap((line) => (line === "" ? [] : [parsed(line)])),
    errors: () => errors.text,
    async stop() {
      child.kill("SIGTERM");
      await exited;
      return child.exitCode;
    },
  };
}

/** Empty for a line that has not come whole. */
function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}

export async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error("the awaited condition did not come true");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
