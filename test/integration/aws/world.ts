import { mkdtemp, readdir, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ECSClient, ListTaskDefinitionsCommand } from "@aws-sdk/client-ecs";
import { DescribeAccessPointsCommand, EFSClient } from "@aws-sdk/client-efs";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { APIGatewayProxyResult } from "aws-lambda";
import { computeClients } from "#aws/compute/clients.ts";
import { listGroups } from "#aws/compute/security-group.ts";
import { type CallLog, startCallLog } from "#test/support/call-log.ts";
import { startMoto } from "#test/support/moto/moto.ts";
import { type Account, makeAccount, region } from "./account.ts";
import { type AgentProcess, freePort, startAgent } from "./agent-process.ts";
import { itemsOf, restEvent, streamEvent, taskEvent, tasksIn } from "./events.ts";
import { type Functions, loadFunctions, pointAt } from "./functions.ts";

const host = "127.0.0.1";

/** A deployment in moto: the functions as they are deployed, agents where its tasks would be. One per test file: handlers are loaded once. */
export interface World {
  readonly account: Account;
  readonly functions: Functions;
  /** Calls of AWS by the functions. */
  readonly log: CallLog;
  /** Where the file system's root is mounted. */
  readonly mount: string;
  firstKey(): Promise<string>;
  /** Through the door for API keys: authorizer first, then the function behind the route. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<APIGatewayProxyResult>;
  /** The instance that a create asks for, launched by the pool from the stream's event. */
  launchWanted(): Promise<string>;
  /** Starts an agent in a task's place and tells that it runs, twice. */
  placeTask(instanceId: string): Promise<void>;
  /** Tells that a task has stopped, twice. */
  taskStopped(instanceId: string, change?: { exitCode?: number; stopCode?: string }): Promise<void>;
  agentPost(path: string, body: unknown): Promise<{ status: number; text: string }>;
  /** Everything of instances that AWS, the file system and the table still hold. */
  leftovers(): Promise<string[]>;
  endAgents(): Promise<void>;
  end(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const moto = await startMoto();
  const log = await startCallLog(moto.endpoint);
  pointAt(log.url);
  const mount = await mkdtemp(join(tmpdir(), "bulkhead-efs-"));
  const account = await makeAccount(await freePort());
  const functions = await loadFunctions(account, log.url, mount, (name) => log.add(`Lambda Invoke ${name}`));
  await functions.bootstrap();
  const agents: AgentProcess[] = [];
  const endAgents = async () => {
    for (const agent of agents.splice(0)) await agent.stop();
  };
  const world: World = {
    ...{ account, functions, log, mount, endAgents },
    async firstKey() {
      const secrets = new SecretsManagerClient({ region });
      const { SecretString = "" } = await secrets.send(new GetSecretValueCommand({ SecretId: account.firstKeySecret }));
      return (JSON.parse(SecretString) as { key: string }).key;
    },
    async call(method, path, body, more = {}) {
      const key = more["X-API-Key"] ?? (await world.firstKey());
      const headers = { "Content-Type": "application/json", ...more, "X-API-Key": key };
      const methodArn = `arn:aws:execute-api:eu-west-1:123456789012:abc123/v1/${method}${path.slice(3)}`;
      const { context, policyDocument } = await functions.authorizer({ headers, methodArn });
      if (JSON.stringify(policyDocument).includes("Deny")) throw new Error(`refused: ${JSON.stringify(context)}`);
      const event = restEvent({ method, path, body, headers, authorizer: context ?? {} });
      return method === "GET" ? functions.apiRead(event) : functions.apiLifecycle(event);
    },
    async launchWanted() {
      const wanted = await until("request for an instance", async () =>
        (await itemsOf(account.table, "INSTANCE")).find((item) => item["state"]?.S === "starting"),
      );
      const { batchItemFailures } = await functions.pool(streamEvent("INSERT", { after: wanted }));
      if (batchItemFailures.length > 0) throw new Error("the launch failed");
      return wanted["id"]?.S ?? "";
    },
    async placeTask(instanceId) {
      const task = (await tasksIn("instances")).find((one) => one.startedBy === instanceId);
      if (task === undefined) throw new Error("no task");
      // The address is there long before the agent.
      await functions.taskEvents(taskEvent(task, { lastStatus: "PENDING", host }));
      agents.push(await startAgent(instanceId, account.launch.agentPort));
      const running = taskEvent(task, { lastStatus: "RUNNING", host });
      await Promise.all([functions.taskEvents(running), functions.taskEvents(running)]);
      await functions.taskEvents(running);
    },
    async taskStopped(instanceId, change = {}) {
      const all = [...(await tasksIn("instances", "STOPPED")), ...(await tasksIn("instances"))];
      const task = all.find((one) => one.startedBy === instanceId);
      if (task === undefined) throw new Error("no task");
      await functions.taskEvents(taskEvent(task, { lastStatus: "DEPROVISIONING", host }));
      await functions.taskEvents(taskEvent(task, { lastStatus: "STOPPED", host, ...change }));
      await functions.taskEvents(taskEvent(task, { lastStatus: "STOPPED", host, ...change }));
    },
    agentPost: (path, body) => agentPost(account.launch.agentPort, path, body),
    leftovers: () => leftovers(account, mount),
    async end() {
      await endAgents();
      await functions.stop();
      await log.stop();
      await moto.stop();
      await rm(mount, { recursive: true, force: true });
    },
  };
  return world;
}

export const parsed = (answer: APIGatewayProxyResult) => JSON.parse(answer.body) as Record<string, unknown>;

export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const giveUpAt = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > giveUpAt) throw new Error(`no ${what} in time`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function agentPost(port: number, path: string, body: unknown): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ host, port, path, method: "POST", rejectUnauthorized: false }, (res) => {
      let text = "";
      res.on("data", (chunk) => {
        text += String(chunk);
      });
      res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
    });
    req.on("error", reject);
    req.setHeader("content-type", "application/json");
    req.end(JSON.stringify(body));
  });
}

async function leftovers({ table, launch }: Account, mount: string): Promise<string[]> {
  const { ec2 } = computeClients(region);
  const groups = await listGroups(ec2, launch);
  const points = await new EFSClient({ region }).send(
    new DescribeAccessPointsCommand({ FileSystemId: launch.fileSystemId }),
  );
  const definitions = await new ECSClient({ region }).send(new ListTaskDefinitionsCommand({ status: "ACTIVE" }));
  return [
    ...(await tasksIn("instances")).map((task) => `task ${task.startedBy ?? ""}`),
    ...groups.map((group) => `group of ${group.instanceId}`),
    ...(points.AccessPoints ?? []).map((point) => `access point ${point.RootDirectory?.Path ?? ""}`),
    ...(definitions.taskDefinitionArns ?? []),
    ...(await readdir(join(mount, "instances")).catch(() => [])).map((name) => `files of ${name}`),
    ...(await itemsOf(table, "INSTANCE")).map((item) => `record of ${item["id"]?.S ?? ""}`),
  ];
}
