import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeSecurityGroupsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { ECSClient, ListTaskDefinitionsCommand } from "@aws-sdk/client-ecs";
import { DescribeAccessPointsCommand, EFSClient } from "@aws-sdk/client-efs";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { APIGatewayProxyResult } from "aws-lambda";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Moto, startMoto } from "#test/support/moto/moto.ts";
import { type Account, makeAccount, region } from "./account.ts";
import { type AgentProcess, freePort, startAgent } from "./agent-process.ts";
import { everyMinute, itemsOf, restEvent, streamEvent, taskEvent, tasksIn } from "./events.ts";
import { type Functions, loadFunctions, pointAt } from "./functions.ts";

/** The functions as they are deployed, driven with AWS's own events, against moto and a real agent (design §9). */

const host = "127.0.0.1";
let moto: Moto;
let account: Account;
let functions: Functions;
let mount = "";
const agents: AgentProcess[] = [];

beforeAll(async () => {
  moto = await startMoto();
  pointAt(moto.endpoint);
  mount = await mkdtemp(join(tmpdir(), "bulkhead-efs-"));
  account = await makeAccount(await freePort());
  functions = await loadFunctions(account, moto.endpoint, mount);
  await functions.bootstrap();
}, 240_000);

afterAll(async () => {
  await functions.stop();
  await moto.stop();
  await rm(mount, { recursive: true, force: true });
});

afterEach(async () => {
  vi.useRealTimers();
  for (const agent of agents.splice(0)) await agent.stop();
});

async function firstKey(): Promise<string> {
  const secrets = new SecretsManagerClient({ region });
  const { SecretString = "" } = await secrets.send(new GetSecretValueCommand({ SecretId: account.firstKeySecret }));
  return (JSON.parse(SecretString) as { key: string }).key;
}

/** Through the door for API keys: authorizer first, then the function behind the route. */
async function call(method: string, path: string, body?: unknown): Promise<APIGatewayProxyResult> {
  const headers = { "X-API-Key": await firstKey(), "Content-Type": "application/json" };
  const methodArn = `arn:aws:execute-api:eu-west-1:123456789012:abc123/v1/${method}${path.slice(3)}`;
  const answer = await functions.authorizer({ headers, methodArn });
  expect(answer.policyDocument.Statement).toMatchObject([{ Effect: "Allow" }]);
  const event = restEvent({ method, path, body, headers, authorizer: answer.context ?? {} });
  return method === "GET" ? functions.apiRead(event) : functions.apiLifecycle(event);
}

const parsed = (answer: APIGatewayProxyResult) => JSON.parse(answer.body) as Record<string, unknown>;

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const giveUpAt = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > giveUpAt) throw new Error(`no ${what} in time`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The instance that a create asks for, launched by the pool from the stream's event. */
async function launchWanted(): Promise<string> {
  const wanted = await until("request for an instance", async () =>
    (await itemsOf(account.table, "INSTANCE")).find((item) => item?.["state"]?.S === "starting"),
  );
  expect(await functions.pool(streamEvent("INSERT", { after: wanted }))).toEqual({ batchItemFailures: [] });
  return wanted?.["id"]?.S ?? "";
}

async function placeTask(instanceId: string): Promise<void> {
  const task = (await tasksIn("instances")).find((one) => one.startedBy === instanceId);
  if (task === undefined) throw new Error("no task");
  agents.push(await startAgent(instanceId, account.launch.agentPort));
  await functions.taskEvents(taskEvent(task, { lastStatus: "PENDING", host }));
  await functions.taskEvents(taskEvent(task, { lastStatus: "RUNNING", host }));
  await functions.taskEvents(taskEvent(task, { lastStatus: "RUNNING", host }));
}

async function stopTask(instanceId: string, change: { exitCode?: number; stopCode?: string } = {}): Promise<void> {
  const all = [...(await tasksIn("instances", "STOPPED")), ...(await tasksIn("instances"))];
  const task = all.find((one) => one.startedBy === instanceId);
  if (task === undefined) throw new Error("no task");
  await functions.taskEvents(taskEvent(task, { lastStatus: "STOPPED", host, ...change }));
  await functions.taskEvents(taskEvent(task, { lastStatus: "STOPPED", host, ...change }));
}

function agentPost(path: string, body: unknown): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const req = request(
      { host, port: account.launch.agentPort, path, method: "POST", rejectUnauthorized: false },
      (res) => {
        let text = "";
        res.on("data", (chunk) => (text += String(chunk)));
        res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
      },
    );
    req.on("error", reject);
    req.setHeader("content-type", "application/json");
    req.end(JSON.stringify(body));
  });
}

/** Everything of instances that moto still holds. */
async function leftovers(): Promise<string[]> {
  const groups = await new EC2Client({ region }).send(
    new DescribeSecurityGroupsCommand({ Filters: [{ Name: "tag-key", Values: ["bulkhead:instance"] }] }),
  );
  const points = await new EFSClient({ region }).send(
    new DescribeAccessPointsCommand({ FileSystemId: account.launch.fileSystemId }),
  );
  const definitions = await new ECSClient({ region }).send(new ListTaskDefinitionsCommand({ status: "ACTIVE" }));
  return [
    ...(await tasksIn("instances")).map((task) => `task ${task.startedBy ?? ""}`),
    ...(groups.SecurityGroups ?? []).map((group) => `group ${group.GroupName ?? ""}`),
    ...(points.AccessPoints ?? []).map((point) => `access point ${point.RootDirectory?.Path ?? ""}`),
    ...(definitions.taskDefinitionArns ?? []),
    ...(await readdir(join(mount, "instances")).catch(() => [])).map((name) => `files of ${name}`),
    ...(await itemsOf(account.table, "INSTANCE")).map((item) => `record of ${item?.["id"]?.S ?? ""}`),
  ];
}

describe("the platform on AWS", () => {
  it("creates, activates, runs, kills, and leaves nothing", async () => {
    const creating = call("POST", "/v1/sandboxes", {
      template_name: "base",
      env_vars: { PLAIN: "yes" },
      secrets: { DB: `${account.secretPrefix}/default/database#password` },
    });
    creating.then((answer) => answer.statusCode === 201 || console.error(answer.body), console.error);
    const instanceId = await launchWanted();
    expect(JSON.stringify(await itemsOf(account.table, "SANDBOX"))).not.toContain("canary-9f3c");
    await placeTask(instanceId);
    const created = await creating;
    expect(created.statusCode).toBe(201);
    const sandbox = parsed(created);
    const id = String(sandbox["id"]);
    expect(sandbox).toMatchObject({
      status: "running",
      public_host: `https://d111.cloudfront.net/s/${id}`,
      enforced: { network: "security-group", identity: "two-uid" },
    });
    const ran = await agentPost("/commands/run", {
      command: 'echo "$PLAIN $DB ${ECS_CONTAINER_METADATA_URI_V4:-hidden}"',
      working_dir: "/tmp",
    });
    expect(JSON.parse(ran.text)).toMatchObject({ stdout: "yes canary-9f3c hidden\n" });
    expect(parsed(await call("GET", "/v1/sandboxes"))).toMatchObject({ data: [{ id, status: "running" }] });
    await mkdir(join(mount, "instances", instanceId, "deep"), { recursive: true });
    await writeFile(join(mount, "instances", instanceId, "deep", "file"), "left");

    const killed = await call("DELETE", `/v1/sandboxes/${id}`);
    expect(parsed(killed)).toMatchObject({ deleted: true });
    expect(await tasksIn("instances")).toEqual([]);
    await stopTask(instanceId, { stopCode: "UserInitiated" });
    expect(await leftovers()).toEqual([]);
    expect((await call("GET", `/v1/sandboxes/${id}`)).statusCode).toBe(410);
    const tables = JSON.stringify(await itemsOf(account.table, ""));
    expect(tables).not.toContain("canary-9f3c");
  });

  it("answers at once from the pool, which is filled again, and records why a task ended", async () => {
    await functions.pool(everyMinute);
    const [warm] = await tasksIn("instances");
    const instanceId = warm?.startedBy ?? "";
    await placeTask(instanceId);
    const created = parsed(await call("POST", "/v1/sandboxes", { template_name: "base" }));
    expect(created).toMatchObject({ status: "running", node_id: instanceId });
    const claimed = (await itemsOf(account.table, "INSTANCE")).find((item) => item?.["state"]?.S === "claimed");
    const before = { ...claimed, state: { S: "warm" } };
    await functions.pool(streamEvent("MODIFY", { before, after: claimed }));
    await functions.pool(streamEvent("MODIFY", { before, after: claimed }));
    const tasks = await tasksIn("instances");
    expect(tasks.map((task) => task.startedBy)).toHaveLength(2);
    for (const task of tasks)
      if (task.startedBy !== undefined) await stopTask(task.startedBy, { exitCode: 80 }).catch(() => {});
    const ended = await call("GET", `/v1/sandboxes/${String(created["id"])}`);
    expect(ended.statusCode).toBe(410);
    expect(ended.body).toContain("timeout");
  });
});
