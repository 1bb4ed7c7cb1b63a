import { afterAll, beforeAll, expect, it } from "vitest";
import { everyMinute, tasksIn } from "./events.ts";
import { openWorld, type World } from "./world.ts";

/** What a warm create costs in calls of AWS: each is latency, money and a thing that can fail. */

let world: World;
beforeAll(async () => {
  world = await openWorld();
}, 240_000);
afterAll(() => world.end());

const writes = /^DynamoDB (PutItem|UpdateItem|DeleteItem|TransactWriteItems|BatchWriteItem)$/;

async function warmCreate(body: object): Promise<readonly string[]> {
  await world.endAgents();
  await world.functions.pool(everyMinute);
  const warm = (await tasksIn("instances")).find((task) => task.startedBy !== undefined);
  await world.placeTask(warm?.startedBy ?? "");
  const key = await world.firstKey();
  world.log.clear();
  const created = await world.call("POST", "/v1/sandboxes", body, { "X-API-Key": key });
  const calls = [...world.log.calls];
  expect(created.statusCode).toBe(201);
  const { id, node_id: instance } = JSON.parse(created.body) as { id: string; node_id: string };
  await world.call("DELETE", `/v1/sandboxes/${id}`);
  await world.taskStopped(instance);
  return calls;
}

it("claims with one write, does three more, signs once and asks the bridge once", async () => {
  const calls = await warmCreate({ template_name: "base" });
  console.log(`AWS calls of a warm create, with those of the authorizer:\n  ${calls.join("\n  ")}`);
  expect(calls.filter((call) => writes.test(call))).toEqual([
    // The authorizer's note of the key's last use, once a minute.
    "DynamoDB UpdateItem",
    // Quota, claim, record with its audit event.
    "DynamoDB UpdateItem",
    "DynamoDB UpdateItem",
    "DynamoDB TransactWriteItems",
    // The decoy, written while the agent is asked.
    "DynamoDB PutItem",
  ]);
  expect(calls.filter((call) => /^(Trent|Lambda)/.test(call)).sort()).toEqual([
    "Lambda Invoke bridge",
    "TrentService Sign",
  ]);
});

it("asks for one thing more when env or secrets are given", async () => {
  const plain = await warmCreate({ template_name: "base" });
  const withBoth = await warmCreate({
    template_name: "base",
    env_vars: { A: "1" },
    secrets: { DB: `${world.account.secretPrefix}/default/database#password` },
  });
  expect(withBoth.filter((call) => call.startsWith("secretsmanager"))).toEqual(["secretsmanager BatchGetSecretValue"]);
  const rest = (calls: readonly string[]) => calls.filter((call) => !/secretsmanager|GetItem|Query/.test(call)).sort();
  // Reads differ by what was read before; the key's last use is noted once a minute.
  expect(rest(withBoth)).toEqual(rest(plain));
});
