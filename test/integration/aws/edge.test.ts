import { type ChildProcess, spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeKmsTokenSigner } from "#aws/kms-token-signer.ts";
import { ensureTable, makeDynamoStores, type Stores } from "#aws/stores.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { anInstance, aSandbox } from "#test/support/fixtures.ts";
import { type Moto, startMoto } from "#test/support/moto/moto.ts";
import { region } from "./account.ts";
import { type AgentProcess, freePort, startAgent } from "./agent-process.ts";
import { pointAt } from "./functions.ts";

/** Gateway and egress proxy as the containers run them: bundled programs, against moto's DynamoDB and KMS and a real agent. */

const table = "edge";
const now = Date.now();
const instance = anInstance({ state: "claimed", sandboxId: aSandbox().id, createdAt: now });
/** What the agent of the instance would show the proxy. */
const egressKey = "k".repeat(43);
let moto: Moto;
let stores: Stores;
let signingKey = "";
let directory = "";
let agent: AgentProcess;
const services: ChildProcess[] = [];

beforeAll(async () => {
  moto = await startMoto();
  pointAt(moto.endpoint);
  directory = await mkdtemp(join(tmpdir(), "bulkhead-edge-"));
  const client = DynamoDBDocumentClient.from(new DynamoDBClient({ region }));
  await ensureTable(client, table, clock);
  stores = makeDynamoStores({ client, table, clock, logger: noopLogger });
  const { KeyMetadata } = await new KMSClient({ region }).send(
    new CreateKeyCommand({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" }),
  );
  signingKey = KeyMetadata?.KeyId ?? "";
  await build({
    entryPoints: { gateway: "src/edge/gateway/main.ts", "egress-proxy": "src/edge/egress-proxy/main.ts" },
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    banner: {
      js: "import { createRequire as __r } from 'node:module'; const require = __r(import.meta.url);",
    },
  });
  const agentPort = await freePort();
  agent = await startAgent(instance.id, agentPort);
  const fingerprint = await certificateOf(agentPort);
  await stores.instances.insert({
    ...instance,
    endpoint: {
      ...{ kind: "tcp", host: "127.0.0.1", port: agentPort, fingerprint },
      egressKeyHash: createHash("sha256").update(egressKey).digest("base64url"),
    },
  });
  await stores.sandboxes.insert(
    aSandbox({
      instanceId: instance.id,
      createdAt: now,
      lastActivityAt: now - 60_000,
      deadlines: { ...aSandbox().deadlines, lifetimeAt: now + 3_600_000 },
      expiresAtSeconds: null,
    }),
  );
}, 240_000);

afterAll(async () => {
  for (const service of services) service.kill("SIGKILL");
  await agent.stop();
  await moto.stop();
  await rm(directory, { recursive: true, force: true });
});

async function certificateOf(port: number): Promise<string> {
  for (const giveUpAt = Date.now() + 10_000; Date.now() < giveUpAt; ) {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    const shaken = await Promise.race([
      once(socket, "secureConnect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    const raw = shaken ? socket.getPeerCertificate().raw : undefined;
    socket.destroy();
    if (raw !== undefined) return new X509Certificate(raw).fingerprint256.replaceAll(":", "").toLowerCase();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the agent does not answer");
}

interface RunningService {
  readonly process: ChildProcess;
  readonly output: () => string;
  said(what: RegExp): Promise<void>;
}

function start(name: string, env: Record<string, string>): RunningService {
  const child = spawn(process.execPath, [join(directory, `${name}.mjs`)], {
    env: {
      ...{ PATH: process.env["PATH"] ?? "", AWS_REGION: region, AWS_ENDPOINT_URL: moto.endpoint },
      ...{ AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" },
      ...{ BULKHEAD_DEPLOYMENT: "test", BULKHEAD_TABLE: table, BULKHEAD_SANDBOX_CIDR: "127.0.0.0/8" },
      ...{ BULKHEAD_ACCESS_ROLE_ARN: "arn:aws:iam::123456789012:role/test-sandbox-access" },
      ...{ BULKHEAD_DATA_KEY: "alias/data", BULKHEAD_SECRET_PREFIX: "test/" },
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  services.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  return {
    process: child,
    output: () => output,
    async said(what) {
      for (const giveUpAt = Date.now() + 15_000; !what.test(output); ) {
        if (Date.now() > giveUpAt || child.exitCode !== null)
          throw new Error(`${name} never said ${String(what)}:\n${output}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

function say(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connectTcp(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => (answer += String(chunk))).on("error", () => {});
    socket.once("close", () => resolve(answer));
  });
}

function ask(port: number, path: string, headers: Record<string, string>, body?: unknown) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const req = request(
      { port, host: "127.0.0.1", path, method: body === undefined ? "GET" : "POST", headers },
      (res) => {
        let text = "";
        res.on("data", (chunk) => (text += String(chunk)));
        res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
      },
    );
    req.on("error", reject);
    req.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describe("the edge's containers", () => {
  it("passes a run through the gateway with a token that KMS signed, and drains when told to stop", async () => {
    const port = await freePort();
    const gateway = start("gateway", { BULKHEAD_PORT: String(port), BULKHEAD_SIGNING_KEY: signingKey });
    await gateway.said(/"listening"/);
    expect((await ask(port, "/health", {})).status).toBe(200);
    const signer = makeKmsTokenSigner({ region, keyId: signingKey, clock });
    const claims = { sandboxId: aSandbox().id, generation: 1, expiresAt: now + 3_600_000 };
    const headers = { authorization: `Bearer ${await signer.sign(claims)}`, "content-type": "application/json" };
    const ran = await ask(port, `/s/${aSandbox().id}/commands/run`, headers, {
      command: "echo from inside",
      workdir: "/tmp",
    });
    expect(JSON.parse(ran.text)).toMatchObject({ stdout: "from inside\n", exit_code: 0 });
    const stale = await signer.sign({ ...claims, generation: 2 });
    expect((await ask(port, "/commands/run", { authorization: `Bearer ${stale}` }, {})).status).toBe(401);
    const touched = await stores.sandboxes.get(aSandbox().id);
    expect(touched?.lastActivityAt).toBeGreaterThan(now - 60_000);

    const slow = ask(port, "/commands/run", headers, { command: "sleep 1; echo finished", workdir: "/tmp" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    gateway.process.kill("SIGTERM");
    expect(JSON.parse((await slow).text)).toMatchObject({ stdout: "finished\n" });
    if (gateway.process.exitCode === null) await once(gateway.process, "exit");
    expect(gateway.process.exitCode).toBe(0);
  });

  it("lets a sandbox out by its address and what its agent shows, and writes each decision as a line", async () => {
    const [port, healthPort] = [await freePort(), await freePort()];
    const proxy = start("egress-proxy", { BULKHEAD_PORT: String(port), BULKHEAD_HEALTH_PORT: String(healthPort) });
    await proxy.said(/"listening"/);
    expect((await ask(healthPort, "/health", {})).status).toBe(200);
    const target = createServer((_, res) => res.end("secret")).listen(0, "127.0.0.1");
    await once(target, "listening");
    const { port: targetPort } = target.address() as AddressInfo;
    // This machine is no public address: refused by policy, but as this sandbox's.
    const get = `GET http://127.0.0.1:${targetPort}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`;
    expect(await say(port, get)).toBe("");
    const answer = await say(port, `BULKHEAD-EGRESS/1 ${egressKey}\r\n${get}`);
    expect(answer).toMatch(/^HTTP\/1\.1 403 .*not a public address/s);
    await proxy.said(/"type":"egress".*"sandboxId":"1800000000abcdefghij".*"decision":"deny"/);
    await proxy.said(/"EgressDenied":1/);
    target.close();
    proxy.process.kill("SIGTERM");
    if (proxy.process.exitCode === null) await once(proxy.process, "exit");
    expect(proxy.process.exitCode).toBe(0);
  });

  it("says what is wrong with its environment and ends", async () => {
    const gateway = start("gateway", { BULKHEAD_PORT: "none", BULKHEAD_SIGNING_KEY: "" });
    if (gateway.process.exitCode === null) await once(gateway.process, "exit");
    expect(gateway.process.exitCode).toBe(1);
    expect(gateway.output()).toContain("BULKHEAD_SIGNING_KEY");
  });
});
