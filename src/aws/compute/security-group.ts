import {
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  type EC2Client,
  type IpPermission,
  paginateDescribeSecurityGroups,
  RevokeSecurityGroupEgressCommand,
} from "@aws-sdk/client-ec2";
import { BulkheadError } from "#contracts/errors.ts";
import { capitalTagsOf, nameOf } from "./names.ts";
import { callProvider, hasName, providerFailure } from "./provider-failure.ts";
import { type LaunchSettings, type TeardownSettings, tagNames } from "./settings.ts";

const tlsPort = 443;
const nfsPort = 2049;

export interface InstanceGroup {
  readonly id: string;
  readonly instanceId: string;
}

/** Every security group of the deployment's instances, or of one instance. */
export async function listGroups(
  ec2: EC2Client,
  settings: TeardownSettings,
  instanceId?: string,
): Promise<InstanceGroup[]> {
  const Filters = [
    { Name: "vpc-id", Values: [settings.vpcId] },
    { Name: `tag:${tagNames.deployment}`, Values: [settings.deployment] },
    instanceId === undefined
      ? { Name: "tag-key", Values: [tagNames.instance] }
      : { Name: `tag:${tagNames.instance}`, Values: [instanceId] },
  ];
  const found: InstanceGroup[] = [];
  await callProvider(async () => {
    for await (const page of paginateDescribeSecurityGroups({ client: ec2 }, { Filters })) {
      for (const { GroupId, Tags } of page.SecurityGroups ?? []) {
        const owner = Tags?.find((tag) => tag.Key === tagNames.instance)?.Value;
        if (GroupId !== undefined && owner !== undefined) found.push({ id: GroupId, instanceId: owner });
      }
    }
  });
  return found;
}

/** The instance's own firewall: in from gateway and bridge, out to proxy, files and image, and nothing else. */
export async function ensureGroup(ec2: EC2Client, settings: LaunchSettings, instanceId: string): Promise<string> {
  const GroupId = (await create(ec2, settings, instanceId)) ?? (await listGroups(ec2, settings, instanceId))[0]?.id;
  if (GroupId === undefined) throw new BulkheadError("SERVICE_UNAVAILABLE", "The network is slow. Try again.");
  // Revoked first: a new security group lets everything out.
  const everything: IpPermission = { IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] };
  await callProvider(
    () => ec2.send(new RevokeSecurityGroupEgressCommand({ GroupId, IpPermissions: [everything] })),
    "InvalidPermission.NotFound",
  );
  const { securityGroups: groups, agentPort, egressProxy, s3PrefixListId } = settings;
  const inbound = [tcp(agentPort, groups.gateway, "gateway"), tcp(agentPort, groups.bridge, "bridge")];
  await callProvider(
    () => ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: inbound })),
    "InvalidPermission.Duplicate",
  );
  const outbound = [
    tcp(egressProxy.port, groups.proxy, "egress proxy"),
    tcp(nfsPort, groups.fileSystem, "files"),
    tcp(tlsPort, groups.endpoints, "image registry"),
    { ...port(tlsPort), PrefixListIds: [{ PrefixListId: s3PrefixListId, Description: "image layers" }] },
  ];
  await callProvider(
    () => ec2.send(new AuthorizeSecurityGroupEgressCommand({ GroupId, IpPermissions: outbound })),
    "InvalidPermission.Duplicate",
  );
  return GroupId;
}

const port = (number: number) => ({ IpProtocol: "tcp", FromPort: number, ToPort: number });

function tcp(number: number, group: string, Description: string): IpPermission {
  return { ...port(number), UserIdGroupPairs: [{ GroupId: group, Description }] };
}

/** undefined when the instance has one already. */
async function create(ec2: EC2Client, settings: LaunchSettings, instanceId: string): Promise<string | undefined> {
  const { deployment, vpcId } = settings;
  const answer = await callProvider(
    () =>
      ec2.send(
        new CreateSecurityGroupCommand({
          GroupName: nameOf(deployment, instanceId),
          Description: `Bulkhead instance ${instanceId}`,
          VpcId: vpcId,
          TagSpecifications: [{ ResourceType: "security-group", Tags: capitalTagsOf(deployment, instanceId) }],
        }),
      ),
    "InvalidGroup.Duplicate",
  );
  return answer?.GroupId;
}

/** @throws BulkheadError SERVICE_UNAVAILABLE while the task's network interface still uses the group: that takes minutes at times */
export async function deleteGroups(ec2: EC2Client, settings: TeardownSettings, instanceId: string): Promise<void> {
  for (const { id } of await listGroups(ec2, settings, instanceId)) {
    try {
      await ec2.send(new DeleteSecurityGroupCommand({ GroupId: id }));
    } catch (thrown) {
      if (hasName(thrown, "InvalidGroup.NotFound")) continue;
      if (!hasName(thrown, "DependencyViolation")) throw providerFailure(thrown);
      throw new BulkheadError("SERVICE_UNAVAILABLE", "The instance's network interface is not gone yet.", {
        cause: thrown,
        details: { retry_after_seconds: 30 },
      });
    }
  }
}
