import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type Account, Refused } from "./account.ts";
import { refusalOf } from "./gaps.ts";
import { type Fitted, fitTemplate, type SynthesizedTemplate } from "./template.ts";

/** A stack that stands in the emulated account. */
export interface LoadedStack extends Fitted {
  readonly name: string;
  /** What was made, by logical id. */
  readonly resources: ReadonlyMap<string, { readonly type: string; readonly physicalId: string }>;
}

const deadlineMs = 30_000;
const pollMs = 50;

const stackSchema = z.object({
  Stacks: z.object({ member: z.object({ StackStatus: z.string(), StackStatusReason: z.string().optional() }) }),
});
const summarySchema = z.object({
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string(),
  ResourceType: z.string(),
  ResourceStatus: z.string(),
});
const pageSchema = z.object({
  StackResourceSummaries: z.object({ member: z.union([z.array(summarySchema), summarySchema]) }),
  NextToken: z.string().optional(),
});

/** Loads a template as far as the emulator goes. @throws Error with CloudFormation's reason when the stack fails */
export async function loadStack(account: Account, name: string, template: SynthesizedTemplate): Promise<LoadedStack> {
  const fitted = fitTemplate(template, refusalOf(await unrecognizedTypes(account, name, template)));
  await createStack(account, name, fitted.template);
  return { ...fitted, name, resources: await resourcesOf(account, name) };
}

/** Types that the emulator does not know: it names them all and takes nothing of such a template. */
export async function unrecognizedTypes(
  account: Account,
  name: string,
  template: SynthesizedTemplate,
): Promise<ReadonlySet<string>> {
  const address = await account.putTemplate(`${name}.json`, template);
  try {
    await account.cloudFormation("ValidateTemplate", { TemplateURL: address });
    return new Set();
  } catch (refused) {
    const types = refused instanceof Refused ? /Unrecognized resource types: \[([^\]]+)\]/.exec(refused.message) : null;
    if (types?.[1] === undefined) throw refused;
    return new Set(types[1].split(", "));
  }
}

/** @throws Error with the reason when it ends otherwise than complete */
export async function createStack(account: Account, name: string, template: unknown): Promise<void> {
  await account.cloudFormation("CreateStack", {
    StackName: name,
    TemplateURL: await account.putTemplate(`${name}.json`, template),
    DisableRollback: "true",
    "Capabilities.member.1": "CAPABILITY_IAM",
    "Capabilities.member.2": "CAPABILITY_NAMED_IAM",
  });
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const { StackStatus, StackStatusReason = "" } = stackSchema.parse(
      await account.cloudFormation("DescribeStacks", { StackName: name }),
    ).Stacks.member;
    if (StackStatus === "CREATE_COMPLETE") return;
    if (!StackStatus.endsWith("_IN_PROGRESS")) throw new Error(`${name} is ${StackStatus}: ${StackStatusReason}`);
    if (Date.now() > deadline) throw new Error(`${name} is still ${StackStatus} after ${deadlineMs} ms`);
    await delay(pollMs);
  }
}

async function resourcesOf(account: Account, name: string): Promise<LoadedStack["resources"]> {
  const resources = new Map<string, { type: string; physicalId: string }>();
  let token: string | undefined;
  do {
    const page = pageSchema.parse(
      await account.cloudFormation("ListStackResources", {
        StackName: name,
        ...(token !== undefined && { NextToken: token }),
      }),
    );
    for (const one of [page.StackResourceSummaries.member].flat()) {
      if (one.ResourceStatus !== "CREATE_COMPLETE") throw new Error(`${one.LogicalResourceId}: ${one.ResourceStatus}`);
      resources.set(one.LogicalResourceId, { type: one.ResourceType, physicalId: one.PhysicalResourceId });
    }
    token = page.NextToken;
  } while (token !== undefined);
  return resources;
}
