import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateAccessPointCommand, EFSClient } from "@aws-sdk/client-efs";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { computeClients } from "#aws/compute/clients.ts";
import { makeChainVerifier } from "#core/audit-chain/verify.ts";
import type { ChainedEvent, Checkpoint } from "#core/ports.ts";
import { region } from "./account.ts";
import { everyMinute, itemsOf, restEvent, streamEvent, tasksIn } from "./events.ts";
import { openWorld, parsed, type World } from "./world.ts";

/** The functions as they are deployed, driven with AWS's own events, against moto and a real agent (design §9). */

let world: World;
beforeAll(async () => {
  world = await openWorld();
}, 240_000);
afterAll(() => world.end());
afterEach(async () => {
  vi.useRealTimers();
  await world.endAgents();
});

/** Lets time pass for the functions. AWS's own time stands still, which moto does not mind. */
function later(ms: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
}

async function sweep(times: number, everyMs: number): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    await world.functions.sweeper(everyMinute);
    later(everyMs);
  }
}

describe("the platform on AWS", () => {
  it("creates, activates, runs, kills, and leaves nothing", async () => {
    const { account, functions, call } = world;
    const creating = call("POST", "/v1/sandboxes", {
      template_name: "base",
      env_vars: { PLAIN: "yes" },
      secrets: { DB: `${account.secretPrefix}/default/database#password` },
    });
    const instanceId = await world.launchWanted();
    expect(JSON.stringify(await itemsOf(account.table, "SANDBOX"))).not.toContain("canary-9f3c");
    await world.placeTask(instanceId);
    const created = await creating;
    expect(created.statusCode).toBe(201);
    const sandbox = parsed(created);
    const id = String(sandbox["id"]);
    expect(sandbox).toMatchObject({
      status: "running",
      public_host: `https://d111.cloudfront.net/s/${id}`,
      enforced: { network: "security-group", identity: "two-uid" },
    });
    const command = `echo "$PLAIN $DB \${ECS_CONTAINER_METADATA_URI_V4:-hidden}"`;
    const ran = await world.agentPost("/commands/run", { command, workdir: "/tmp" });
    expect(JSON.parse(ran.text)).toMatchObject({ stdout: "yes canary-9f3c hidden\n" });
    expect(parsed(await call("GET", "/v1/sandboxes"))).toMatchObject({ data: [{ id, status: "running" }] });
    await mkdir(join(world.mount, "instances", instanceId, "deep"), { recursive: true });
    await writeFile(join(world.mount, "instances", instanceId, "deep", "file"), "left");

    const killed = await call("DELETE", `/v1/sandboxes/${id}`);
    expect(parsed(killed)).toMatchObject({ deleted: true });
    expect(await tasksIn("instances")).toEqual([]);
    await world.taskStopped(instanceId, { stopCode: "UserInitiated" });
    expect(await world.leftovers()).toEqual([]);
    const gone = await call("GET", `/v1/sandboxes/${id}`);
    expect(gone.statusCode).toBe(410);
    expect(gone.body).toContain("killed");
    expect(JSON.stringify(await itemsOf(account.table, ""))).not.toContain("canary-9f3c");
    await functions.sweeper(everyMinute);
  });

  it("answers at once from the pool, which is filled again, and records why a task ended", async () => {
    const { functions, call, account } = world;
    await functions.pool(everyMinute);
    const [warm] = await tasksIn("instances");
    const instanceId = warm?.startedBy ?? "";
    await world.placeTask(instanceId);
    const created = parsed(await call("POST", "/v1/sandboxes", { template_name: "base" }));
    expect(created).toMatchObject({ status: "running", node_id: instanceId });
    const claimed = (await itemsOf(account.table, "INSTANCE")).find((item) => item["state"]?.S === "claimed");
    const before = { ...claimed, state: { S: "warm" } };
    await functions.pool(streamEvent("MODIFY", { before, after: claimed }));
    await functions.pool(streamEvent("MODIFY", { before, after: claimed }));
    const tasks = (await tasksIn("instances")).map((task) => task.startedBy ?? "");
    expect(tasks).toHaveLength(2);
    for (const task of tasks) await world.taskStopped(task, { exitCode: 80 });
    const ended = await call("GET", `/v1/sandboxes/${String(created["id"])}`);
    expect(ended.statusCode).toBe(410);
    expect(ended.body).toContain("timeout");
    // moto's tasks go on although we said that they have ended.
    await sweep(3, 200_000);
    expect(await world.leftovers()).toEqual([]);
  });

  it("finds what no record knows by its tags alone, and takes it away", async () => {
    const { account } = world;
    const tags = [
      { Key: "bulkhead:deployment", Value: account.launch.deployment },
      { Key: "bulkhead:instance", Value: "i0000000000orphan" },
    ];
    await computeClients(region).ec2.call("CreateSecurityGroup", {
      GroupName: "orphan",
      GroupDescription: "left by a crash",
      VpcId: account.launch.vpcId,
      TagSpecification: [{ ResourceType: "security-group", Tag: tags }],
    });
    await new EFSClient({ region }).send(
      new CreateAccessPointCommand({ ClientToken: "o", FileSystemId: account.launch.fileSystemId, Tags: tags }),
    );
    expect(await world.leftovers()).toHaveLength(2);
    await sweep(3, 200_000);
    expect(await world.leftovers()).toEqual([]);
  });

  it("ends what TTL removed although nobody had ended it", async () => {
    const { functions, call, account } = world;
    const creating = call("POST", "/v1/sandboxes", { template_name: "base" });
    const instanceId = await world.launchWanted();
    await world.placeTask(instanceId);
    await creating;
    const before = (await itemsOf(account.table, "INSTANCE")).find((item) => item["id"]?.S === instanceId);
    // Ours, so that nothing happens; then DynamoDB's own.
    await functions.sweeper(streamEvent("REMOVE", { before }));
    expect(await tasksIn("instances")).toHaveLength(1);
    await functions.sweeper(streamEvent("REMOVE", { before, byTtl: true }));
    expect(await tasksIn("instances")).toEqual([]);
    await world.taskStopped(instanceId);
    await sweep(3, 200_000);
    expect(await world.leftovers()).toEqual([]);
  });

  it("lets IAM roles in by the other door, in their project", async () => {
    const userArn = "arn:aws:sts::123456789012:assumed-role/Builder/session";
    const listed = await world.functions.apiRead(restEvent({ method: "GET", path: "/v1/sandboxes", userArn }));
    expect(listed.statusCode).toBe(200);
    const keys = await world.functions.apiRead(restEvent({ method: "GET", path: "/auth/api-keys", userArn }));
    expect(keys.statusCode).toBe(200);
    const events = JSON.stringify(await itemsOf(world.account.table, "AUDIT"));
    expect(events).toContain('iam:arn:aws:sts::123456789012:assumed-role/Builder"');
  });

  it("refuses a wrong key at the door, and says why", async () => {
    const methodArn = "arn:aws:execute-api:eu-west-1:123456789012:abc123/v1/GET/sandboxes";
    const headers = { "X-API-Key": `hopx_live_${"a".repeat(12)}.${"b".repeat(43)}` };
    expect(await world.functions.authorizer({ headers, methodArn })).toMatchObject({
      policyDocument: { Statement: [{ Effect: "Deny" }] },
      context: { code: "INVALID_API_KEY" },
    });
  });

  it("chains what was done, refused too, signs it, and verifies", async () => {
    const { functions } = world;
    const userArn = "arn:aws:sts::123456789012:assumed-role/Auditor/session";
    const get = async (path: string) => parsed(await functions.apiRead(restEvent({ method: "GET", path, userArn })));
    const chained = async () => expect((await functions.chainer()).chained).toBeGreaterThan(0);
    await vi.waitFor(chained, { timeout: 20_000, interval: 500 });
    const { records } = (await get("/v1/audit/export")) as { records: ChainedEvent[] };
    const { checkpoints } = (await get("/v1/audit/checkpoints")) as { checkpoints: Checkpoint[] };
    const { public_key: publicKeyPem } = (await get("/v1/audit/public-key")) as { public_key: string };
    const verifier = makeChainVerifier({ checkpoints, publicKeyPem });
    for (const record of records) verifier.next(record);
    expect(verifier.end()).toMatchObject({ ok: true, count: records.length });
    expect(checkpoints.length).toBeGreaterThan(0);
    expect(records.map(({ event }) => event.action)).toContain("sandbox.create");
  });

  it("answers bad requests with typed errors, and makes nothing", async () => {
    const { call, functions, account } = world;
    const codeOf = async (answer: ReturnType<World["call"]>) => parsed(await answer)["code"];
    expect(await codeOf(call("POST", "/v1/sandboxes", { template_name: "none" }))).toBe("TEMPLATE_NOT_FOUND");
    expect(await codeOf(call("POST", "/v1/sandboxes", {}))).toBe("MISSING_PARAMETER");
    const foreign = { template_name: "base", secrets: { A: "somebody/elses" } };
    expect(await codeOf(call("POST", "/v1/sandboxes", foreign))).toBe("INVALID_REQUEST");
    expect(await codeOf(call("GET", "/v1/sandboxes/1800000000unknownxxx"))).toBe("SANDBOX_NOT_FOUND");
    expect(await codeOf(call("GET", "/v1/nothing"))).toBe("RESOURCE_NOT_FOUND");
    const nobody = await functions.apiRead(restEvent({ method: "GET", path: "/v1/sandboxes" }));
    expect(nobody.statusCode).toBe(401);
    const [quota] = await itemsOf(account.table, "QUOTA");
    expect(quota?.["inUse"]?.N).toBe("0");
  });
});
