import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "#core/ports.ts";
import type { QueryParameters } from "./ec2-parameters.ts";
import type { Ec2Query } from "./ec2-query.ts";
import { capitalTagsOf, nameOf } from "./names.ts";
import { callProvider, hasName, unless } from "./provider-failure.ts";
import { type LaunchSettings, type TeardownSettings, tagNames } from "./settings.ts";

const tlsPort = 443;
const nfsPort = 2049;
const pollMs = 2_000;
/** A new group is not known everywhere at once. */
const knownMs = 10_000;
const lookMs = 500;

/** A list of one is not told from its item in XML, and a list of none is empty text. */
function list<T extends z.ZodType>(item: T) {
  const several = z.object({ item: z.union([z.array(item), item.transform((one) => [one])]) });
  return z.union([z.literal("").transform(() => []), several.transform((found) => found.item)]).default([]);
}

const groupSchema = z.object({
  groupId: z.string(),
  tagSet: list(z.object({ key: z.string(), value: z.string() })),
});
const groupsSchema = z.object({ securityGroupInfo: list(groupSchema), nextToken: z.string().optional() });
const egressSchema = z.object({
  securityGroupInfo: list(z.object({ ipPermissionsEgress: list(z.object({ ipProtocol: z.string() })) })),
});
const createdSchema = z.object({ groupId: z.string() });

export interface InstanceGroup {
  readonly id: string;
  readonly instanceId: string;
}

/** Every security group of the deployment's instances, or of one instance, found by tags alone. */
export async function listGroups(
  ec2: Ec2Query,
  settings: TeardownSettings,
  instanceId?: string,
): Promise<InstanceGroup[]> {
  const filters: readonly QueryParameters[] = [
    { Name: "vpc-id", Value: [settings.vpcId] },
    { Name: `tag:${tagNames.deployment}`, Value: [settings.deployment] },
    instanceId === undefined
      ? { Name: "tag-key", Value: [tagNames.instance] }
      : { Name: `tag:${tagNames.instance}`, Value: [instanceId] },
  ];
  const found: InstanceGroup[] = [];
  let next: string | undefined;
  do {
    const query = { Filter: filters, MaxResults: 1000, ...(next !== undefined && { NextToken: next }) };
    const page = groupsSchema.parse(await callProvider(() => ec2.call("DescribeSecurityGroups", query)));
    for (const { groupId, tagSet } of page.securityGroupInfo) {
      const owner = tagSet.find((tag) => tag.key === tagNames.instance)?.value;
      if (owner !== undefined) found.push({ id: groupId, instanceId: owner });
    }
    next = page.nextToken;
  } while (next !== undefined && next !== "");
  return found;
}

/** @returns the new group's id, or null when the instance has one already: an earlier launch made it */
export async function createGroup(
  ec2: Ec2Query,
  { deployment, vpcId }: TeardownSettings,
  instanceId: string,
): Promise<string | null> {
  const Tag = capitalTagsOf(deployment, instanceId);
  try {
    const made = await ec2.call("CreateSecurityGroup", {
      GroupName: nameOf(deployment, instanceId),
      GroupDescription: `Bulkhead instance ${instanceId}`,
      VpcId: vpcId,
      TagSpecification: [{ ResourceType: "security-group", Tag }],
    });
    return createdSchema.parse(made).groupId;
  } catch (thrown) {
    if (hasName(thrown, "InvalidGroup.Duplicate")) return null;
    throw thrown;
  }
}

/** The instance's own firewall: in from gateway and bridge, out to proxy, files and image, and nothing else. Safe to repeat. */
export async function setRules(ec2: Ec2Query, settings: LaunchSettings, GroupId: string, clock: Clock): Promise<void> {
  const { securityGroups: groups, agentPort, egressProxy, s3PrefixListId } = settings;
  // Revoked first: a new security group lets everything out.
  await revokeDefault(ec2, GroupId, clock);
  await unless(["InvalidPermission.Duplicate"], () =>
    ec2.call("AuthorizeSecurityGroupIngress", {
      GroupId,
      IpPermissions: [tcp(agentPort, groups.gateway, "gateway"), tcp(agentPort, groups.bridge, "bridge")],
    }),
  );
  await unless(["InvalidPermission.Duplicate"], () =>
    ec2.call("AuthorizeSecurityGroupEgress", {
      GroupId,
      IpPermissions: [
        tcp(egressProxy.port, groups.proxy, "egress proxy"),
        tcp(nfsPort, groups.fileSystem, "files"),
        tcp(tlsPort, groups.endpoints, "image registry"),
        { ...port(tlsPort), PrefixListIds: [{ PrefixListId: s3PrefixListId, Description: "image layers" }] },
      ],
    }),
  );
}

async function revokeDefault(ec2: Ec2Query, GroupId: string, clock: Clock): Promise<void> {
  const IpPermissions = [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }];
  const giveUpAt = clock.now() + knownMs;
  for (;;) {
    try {
      await ec2.call("RevokeSecurityGroupEgress", { GroupId, IpPermissions });
      return;
    } catch (thrown) {
      // Revoked before, or not known there yet: only the group itself tells.
      if (hasName(thrown, "InvalidPermission.NotFound") && !(await isOpen(ec2, GroupId))) return;
      if (!hasName(thrown, "InvalidPermission.NotFound", "InvalidGroup.NotFound") || clock.now() >= giveUpAt)
        throw thrown;
      await clock.sleep(lookMs);
    }
  }
}

/** Some rule lets out more than one protocol: none of ours does. */
async function isOpen(ec2: Ec2Query, id: string): Promise<boolean> {
  const { securityGroupInfo } = egressSchema.parse(await ec2.call("DescribeSecurityGroups", { GroupId: [id] }));
  return securityGroupInfo.flatMap((group) => group.ipPermissionsEgress).some((rule) => rule.ipProtocol === "-1");
}

const port = (number: number) => ({ IpProtocol: "tcp", FromPort: number, ToPort: number });

function tcp(number: number, group: string, Description: string): QueryParameters {
  return { ...port(number), Groups: [{ GroupId: group, Description }] };
}

/**
 * Deletes the instance's group. The task's network interface holds it for seconds, at times minutes, after the task has stopped.
 * @throws BulkheadError SERVICE_UNAVAILABLE when it is still held after `retryForMs`: to be repeated
 */
export async function deleteGroups(
  ec2: Ec2Query,
  settings: TeardownSettings,
  instanceId: string,
  { clock, retryForMs }: { readonly clock: Clock; readonly retryForMs: number },
): Promise<void> {
  const giveUpAt = clock.now() + retryForMs;
  for (const { id } of await listGroups(ec2, settings, instanceId)) {
    while (!(await deleteGroup(ec2, id))) {
      if (clock.now() + pollMs > giveUpAt) {
        throw new BulkheadError("SERVICE_UNAVAILABLE", "The instance's network interface is not gone yet.", {
          details: { retry_after_seconds: 30 },
        });
      }
      await clock.sleep(pollMs);
    }
  }
}

/** @returns false while something uses the group */
async function deleteGroup(ec2: Ec2Query, GroupId: string): Promise<boolean> {
  return callProvider(async () => {
    try {
      await unless(["InvalidGroup.NotFound"], () => ec2.call("DeleteSecurityGroup", { GroupId }));
      return true;
    } catch (thrown) {
      if (hasName(thrown, "DependencyViolation")) return false;
      throw thrown;
    }
  });
}
