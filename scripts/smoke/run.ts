import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { z } from "zod";
import { accessPointOf, identityNaming } from "./account/access-point.ts";
import { type AccountClients, makeAccountClients } from "./account/clients.ts";
import { mountTargets } from "./account/mount-targets.ts";
import { quotas } from "./account/quotas.ts";
import { type FoundTask, launchSteps, taskByAddress } from "./account/tasks.ts";
import { teardownLag } from "./account/teardown-lag.ts";
import { type Connection, clientStory, part } from "./client-story.ts";
import { createTimes } from "./create-times.ts";
import { fromInside, type Identity, type Outside } from "./from-inside.ts";
import type { Journal } from "./journal.ts";
import type { SmokeOptions } from "./options.ts";

/** Rows of aws-facts §14 that a caller cannot measure, or that cost too much to measure by the way. */
const notMeasured = [
  "naming another instance's EFS access point, without --aws",
  "a burst of 100 launches, RunTask, CreateSecurityGroup, CreateAccessPoint and RegisterTaskDefinition rates",
  "start times with SOCI or zstd, EBS at launch, tmpfs",
  "WebSocket idle limit and length through CloudFront and a VPC origin",
  "cold start of each function: CloudWatch Logs Insights, field @initDuration",
  "prices: compare npm run cost with Cost Explorer after a week",
];

/** @throws Error that says where the key was looked for */
async function readKey({ key, region }: SmokeOptions, environment: NodeJS.ProcessEnv): Promise<string> {
  if ("variable" in key) {
    const value = environment[key.variable]?.trim();
    if (value === undefined || value === "") throw new Error(`the environment variable ${key.variable} is empty`);
    return value;
  }
  const { SecretString } = await new SecretsManagerClient({ region }).send(
    new GetSecretValueCommand({ SecretId: key.secret }),
  );
  if (SecretString === undefined || SecretString === "") throw new Error(`the secret ${key.secret} holds no text`);
  return keyOf(SecretString);
}

const firstKeySchema = z.looseObject({ key: z.string().min(1) });

/** The deployment's own secret holds JSON with `key`; one made by hand may hold the key alone. */
export function keyOf(secret: string): string {
  try {
    return firstKeySchema.parse(JSON.parse(secret)).key;
  } catch {
    return secret.trim();
  }
}

async function health(journal: Journal, name: string, url: string): Promise<void> {
  await journal.step(
    name,
    () => fetch(url),
    (answer) => {
      if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
      return `${answer.status}`;
    },
  );
}

async function account(journal: Journal, connection: Connection, options: SmokeOptions): Promise<void> {
  const clients = makeAccountClients(options.region);
  journal.section("account");
  await part(() => quotas(journal, clients));
  const nfs: string[] = [...options.nfs];
  await part(async () => nfs.push(...(await mountTargets(journal, clients, options.deployment))));
  const watch = watchFrom(journal, clients, options.deployment);
  await part(() => fromInside(journal, connection, options.template, { ...options, nfs }, watch));
  const { task } = watch;
  if (task === undefined) return;
  journal.section("launch and teardown");
  for (const [step, seconds] of Object.entries(launchSteps(task.task)))
    journal.write(`RunTask → ${step}`, "measured", `${seconds.toFixed(1)} s`);
  await part(() => teardownLag(journal, clients, task));
}

/** What the account knows of the sandboxes that are tried out, found by their private addresses. */
function watchFrom(
  journal: Journal,
  clients: AccountClients,
  deployment: string,
): Outside & { task: FoundTask | undefined } {
  const taskOf = (address: string | undefined) =>
    address === undefined ? Promise.resolve(undefined) : taskByAddress(clients, deployment, address);
  const naming = async (name: string, address: string | undefined): Promise<readonly Identity[]> => {
    const found = await taskOf(address);
    const accessPoint = found === undefined ? undefined : await accessPointOf(clients, found.instanceId);
    return accessPoint === undefined ? [] : [{ name, pem: await identityNaming(accessPoint) }];
  };
  return {
    task: undefined,
    identities: (own, neighbour) =>
      journal.step(
        "certificates that name access points",
        // Its own as well: where that is refused too, the other's refusal says nothing about the policy.
        async () => [
          ...(await naming("its own access point", own)),
          ...(await naming("the neighbour's access point", neighbour)),
        ],
        (made) => {
          if (made.length !== 2) throw new Error("an access point was not found by the tag of its instance");
          return `${made.length}`;
        },
      ),
    async whileAlive(own) {
      this.task = await journal.step(
        "its task is found by its address",
        () => taskOf(own),
        (one) => {
          if (one === undefined) throw new Error(`no task of ${deployment} has the address ${own ?? "-"}`);
          return `instance ${one.instanceId}`;
        },
      );
    },
  };
}

/** Every part in turn; a part that fails does not keep the next from being tried. */
export async function smoke(journal: Journal, options: SmokeOptions, environment: NodeJS.ProcessEnv): Promise<void> {
  const connection = { baseURL: options.url, apiKey: await readKey(options, environment) };
  journal.section("doors");
  await part(() => health(journal, "the control plane is healthy", `${options.url}/health`));
  const { gateway } = options;
  if (gateway !== undefined)
    await part(() => health(journal, "the gateway is healthy", `${gateway.replace(/\/+$/, "")}/health`));
  await part(() => clientStory(journal, connection, options.template));
  await part(() => createTimes(journal, connection, options.template, options.creates));
  if (options.aws) await account(journal, connection, options);
  else await part(() => fromInside(journal, connection, options.template, options));
  journal.section("not measured by this script");
  for (const what of notMeasured) journal.write(what, "skipped", "");
}
