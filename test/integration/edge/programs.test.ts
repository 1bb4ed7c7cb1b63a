import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { makeAudit } from "#core/audit.ts";
import { makeKeyService } from "#core/keys.ts";
import type { InstanceRecord, SandboxRecord } from "#core/model.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aNetwork, anInstance, aSandbox } from "#test/support/fixtures.ts";
import { type AgentProcess, startAgent } from "../agent/agent-process.ts";
import { egressKeyHashAt, fingerprintAt, freePort, host, openWorld, type Program, until, type World } from "./world.ts";

let world: World;
let gateway: Program;
let proxy: Program;
let agent: AgentProcess;
let agentPort = 0;
let proxyHealth = 0;
let fingerprint = "";
let egressKeyHash = "";
/** What a test shows the proxy in the place of an agent. */
const shown = "s".repeat(43);
const shownHash = createHash("sha256").update(shown).digest("base64url");
let records = 0;
const kept: { sandbox: SandboxRecord; instance: InstanceRecord }[] = [];

beforeAll(async () => {
  world = await openWorld();
  [agentPort, proxyHealth] = [await freePort(), await freePort()];
  [gateway, proxy] = await Promise.all([
    world.run("gateway"),
    world.run("egress-proxy", { BULKHEAD_HEALTH_PORT: String(proxyHealth) }),
  ]);
  agent = await startAgent({
    BULKHEAD_AGENT_FD: undefined,
    BULKHEAD_AGENT_PORT: String(agentPort),
    BULKHEAD_AGENT_TLS: "1",
    BULKHEAD_EGRESS_ADDRESS: `${host}:${proxy.port}`,
    BULKHEAD_EGRESS_PORT: String(await freePort()),
  });
  fingerprint = await fingerprintAt(agentPort);
  egressKeyHash = await egressKeyHashAt(agentPort);
});
afterEach(async () => {
  for (const { sandbox, instance } of kept.splice(0)) {
    await world.stores.instances.remove(instance.id);
    const current = await world.stores.sandboxes.get(sandbox.id);
    if (current === undefined) throw new Error("a record is gone");
    await world.stores.sandboxes.replace({ ...current, status: "failed", version: current.version + 1 });
  }
});
afterAll(async () => {
  await agent.stop();
  await world.end();
});

interface Living {
  readonly sandbox: SandboxRecord;
  readonly instance: InstanceRecord;
  readonly token: string;
}

/** A sandbox that the agent serves, in the table. */
async function aLivingOne(
  change: { sandbox?: Partial<SandboxRecord>; instance?: Partial<InstanceRecord> } = {},
): Promise<Living> {
  records += 1;
  const now = Date.now();
  const id = `18000000${String(records).padStart(2, "0")}abcdefghij`;
  const instanceId = `i${String(records).padStart(16, "0")}`;
  const deadlines = { ...aSandbox().deadlines, lifetimeAt: now + 3_600_000 };
  const sandbox = aSandbox({
    ...{ id, instanceId, deadlines, createdAt: now, startedAt: now, lastActivityAt: now - 600_000 },
    ...change.sandbox,
  });
  const instance = anInstance({
    ...{ id: instanceId, state: "claimed", sandboxId: id, createdAt: now },
    endpoint: { kind: "tcp", host, port: agentPort, fingerprint, egressKeyHash },
    ...change.instance,
  });
  await world.stores.instances.insert(instance);
  await world.stores.sandboxes.insert(sandbox);
  kept.push({ sandbox, instance });
  const token = await world.signer.sign({ sandboxId: id, generation: 1, expiresAt: now + 3_600_000 });
  return { sandbox, instance, token };
}

interface Ran {
  readonly status: number;
  readonly code?: string;
  readonly stdout?: string;
}

async function run(command: string, headers: Record<string, string>, to = gateway, path = ""): Promise<Ran> {
  const answer = await fetch(`http://${host}:${to.port}${path}/commands/run`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ command, workdir: agent.directory, timeout: 30 }),
  });
  return { ...((await answer.json()) as object), status: answer.status };
}

const bearer = ({ token }: Living) => ({ authorization: `Bearer ${token}` });

/** What the proxy answers to a question for `url`, asked from inside. */
const ask = (url: string) =>
  `exec 3<>/dev/tcp/127.0.0.1/\${HTTP_PROXY##*:} && printf 'GET ${url} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3`;

describe("the gateway's container", () => {
  it("tells the load balancer that it is well, and reads its key once", async () => {
    const answer = await fetch(`http://${host}:${gateway.port}/health`);
    expect([answer.status, await answer.json()]).toEqual([200, { status: "healthy" }]);
    expect(world.keyCalls.map(({ operation, body }) => [operation, body])).toEqual([
      ["GetPublicKey", { KeyId: "alias/signing" }],
    ]);
  });

  it("runs a command in the sandbox that the token names, whose certificate it checks", async () => {
    const living = await aLivingOne();
    expect(await run("echo hello", bearer(living))).toMatchObject({ status: 200, stdout: "hello\n" });
    expect(await run("echo again", bearer(living), gateway, `/s/${living.sandbox.id}`)).toMatchObject({ status: 200 });
    await vi.waitFor(async () => {
      const touched = await world.stores.sandboxes.get(living.sandbox.id);
      expect(touched?.lastActivityAt).toBeGreaterThan(living.sandbox.lastActivityAt);
    });
  });

  it("does not talk to an agent with another certificate", async () => {
    const wrong = { kind: "tcp", host, port: agentPort, fingerprint: "0".repeat(64) } as const;
    const other = await aLivingOne({ instance: { endpoint: wrong } });
    expect(await run("echo hello", bearer(other))).toMatchObject({ status: 503, code: "AGENT_UNREACHABLE" });
  });

  it("refuses a token of another key, of another time, or of an earlier generation", async () => {
    const living = await aLivingOne({ sandbox: { tokenGeneration: 2 } });
    expect(await run("true", bearer(living))).toMatchObject({ status: 401, code: "TOKEN_INVALID" });
    const [head = "", payload = "", signature = ""] = living.token.split(".");
    const forged = `${head}.${payload}.${signature.split("").reverse().join("")}`;
    expect(await run("true", { authorization: `Bearer ${forged}` })).toMatchObject({
      status: 401,
      code: "TOKEN_INVALID",
    });
    const old = { sandboxId: living.sandbox.id, generation: 2, expiresAt: Date.now() - 1_000 };
    expect(await run("true", { authorization: `Bearer ${await world.signer.sign(old)}` })).toMatchObject({
      status: 401,
      code: "TOKEN_EXPIRED",
    });
  });

  it("takes the project's API key where the address names the sandbox, and no other's", async () => {
    const { keys, audit } = world.stores;
    const service = makeKeyService({ keys, audit: makeAudit(audit, systemClock, noopLogger), clock: systemClock });
    const mine = await service.bootstrap({ projectId: "p1", name: "mine" });
    const theirs = await service.bootstrap({ projectId: "p2", name: "theirs" });
    const { sandbox } = await aLivingOne();
    const path = `/s/${sandbox.id}`;
    expect(await run("echo key", { "x-api-key": mine.key }, gateway, path)).toMatchObject({ stdout: "key\n" });
    expect(await run("echo key", { "x-api-key": theirs.key }, gateway, path)).toMatchObject({ status: 404 });
  });

  it("passes hosts of its domain, with and without the suffix that clients add", async () => {
    const own = await world.run("gateway", { BULKHEAD_DOMAIN: "sandboxes.example" });
    const living = await aLivingOne();
    for (const suffix of ["", "/p.vms.hopx.dev"]) {
      const head = `Host: 7777-${living.sandbox.id}.sandboxes.example\r\nAuthorization: Bearer ${living.token}`;
      const answer = await direct(`GET ${suffix}/info HTTP/1.1\r\n${head}\r\nConnection: close\r\n\r\n`, own.port);
      expect(answer).toContain("200 OK");
      expect(answer).toContain('"vm_id"');
    }
    expect(await own.stop()).toBe(0);
  });

  it("answers what is under way before it ends, and accepts nothing more", async () => {
    const own = await world.run("gateway");
    const living = await aLivingOne();
    const slow = run("sleep 1.5; echo done", bearer(living), own);
    const started = Date.now();
    await until(() => Date.now() > started + 500);
    const stopped = own.stop();
    await until(() => own.lines().some(({ message }) => message === "draining"));
    await expect(run("true", bearer(living), own)).rejects.toThrow();
    expect(await slow).toMatchObject({ status: 200, stdout: "done\n" });
    expect(await stopped).toBe(0);
  });
});

describe("the egress proxy's container", () => {
  it("tells that it is well", async () => {
    expect((await fetch(`http://${host}:${proxyHealth}/health`)).status).toBe(200);
    expect((await fetch(`http://${host}:${proxyHealth}/other`)).status).toBe(404);
  });

  it("refuses what is not public, and logs it with the sandbox that asked", async () => {
    const living = await aLivingOne();
    const before = proxy.lines().length;
    for (const address of ["169.254.169.254", "169.254.170.2", "10.64.0.1", "100.64.0.1", "[fd00:ec2::254]", host]) {
      const { stdout } = await run(ask(`http://${address}/latest/meta-data/`), bearer(living));
      expect(stdout, address).toContain("403 Forbidden");
      expect(stdout, address).toContain("is not a public address");
    }
    await until(() => proxy.lines().length >= before + 12);
    const lines = proxy.lines().slice(before);
    expect(lines).toContainEqual(
      expect.objectContaining({
        ...{ type: "egress", sandboxId: living.sandbox.id, projectId: "p1", instanceId: living.instance.id },
        ...{ host: "169.254.169.254", decision: "deny", address: null },
      }),
    );
    expect(lines.filter((line) => "EgressDenied" in line)).toHaveLength(6);
  });

  it("knows a sandbox without internet access, and no longer one that is not running", async () => {
    const living = await aLivingOne({
      sandbox: { network: aNetwork({ mode: "deny-all" }) },
      instance: { endpoint: { kind: "tcp", host, port: agentPort, fingerprint, egressKeyHash: shownHash } },
    });
    expect(await answered(/deny-all/)).toContain("403");
    await world.stores.sandboxes.replace({ ...living.sandbox, status: "paused", version: 2 });
    expect(await answered(/belongs to no sandbox/)).toContain("403");
  });

  it("ends when it is told to", async () => {
    const own = await world.run("egress-proxy", { BULKHEAD_HEALTH_PORT: String(await freePort()) });
    expect(await own.stop()).toBe(0);
    expect(own.lines().map(({ message }) => message)).toEqual(["listening", "draining", "stopped"]);
  });

  it("cuts connections from outside of the sandboxes' network", async () => {
    const own = await world.run("egress-proxy", {
      BULKHEAD_HEALTH_PORT: String(await freePort()),
      BULKHEAD_SANDBOX_CIDR: "10.64.0.0/16",
    });
    expect(await direct("GET http://example.com/ HTTP/1.1\r\nHost: x\r\n\r\n", own.port)).toBe("");
  });
});

/** What the proxy says to a question for a public name, asked until it is this: what it learned of an address it believes for a second. */
async function answered(expected: RegExp): Promise<string> {
  const giveUpAt = Date.now() + 10_000;
  for (;;) {
    const answer = await direct(
      `BULKHEAD-EGRESS/1 ${shown}\r\nGET http://nowhere.invalid/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    if (expected.test(answer) || Date.now() > giveUpAt) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function direct(text: string, port = proxy.port): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host).setEncoding("utf8");
    let answer = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => (answer += String(chunk)));
    socket.on("close", () => resolve(answer));
    socket.write(text);
  });
}

describe("a container that cannot start", () => {
  it.each([
    ["gateway", { BULKHEAD_TABLE: undefined }, "BULKHEAD_TABLE"],
    ["gateway", { BULKHEAD_SANDBOX_CIDR: "10.64.0.0" }, "address range"],
    ["gateway", { AWS_ENDPOINT_URL_KMS: "http://127.0.0.1:9" }, "key service"],
    ["egress-proxy", { BULKHEAD_PORT: "http" }, "BULKHEAD_PORT"],
    ["egress-proxy", { BULKHEAD_SANDBOX_CIDR: "everywhere" }, "address range"],
  ] as const)("%s with %j says why in one line and ends", async (name, variables, why) => {
    const program = await world.start(name, variables);
    expect(await once(program.process, "close")).toEqual([1, null]);
    const lines = program.errors().trim().split("\n");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "error", error: expect.stringContaining(why) as string });
  });
});
