import { CreateClusterCommand } from "@aws-sdk/client-ecs";
import { CreateFileSystemCommand } from "@aws-sdk/client-efs";
import { z } from "zod";
import type { ComputeClients } from "#aws/compute/clients.ts";
import type { LaunchSettings } from "#aws/compute/settings.ts";
import { settingsOf } from "../aws-fake/fargate-world.ts";

const vpcSchema = z.object({ vpc: z.object({ vpcId: z.string() }) });
const subnetSchema = z.object({ subnet: z.object({ subnetId: z.string() }) });
const groupSchema = z.object({ groupId: z.string() });
const prefixListSchema = z.object({ prefixList: z.object({ prefixListId: z.string() }) });

/** What a deployment's stacks would have made, in an empty moto: network, cluster, file system. */
export async function makeAccount({ ecs, ec2, efs }: ComputeClients, region: string): Promise<LaunchSettings> {
  const { vpc } = vpcSchema.parse(await ec2.call("CreateVpc", { CidrBlock: "10.64.0.0/16" }));
  // Without names moto answers RunTask with a 500.
  await ec2.call("ModifyVpcAttribute", { VpcId: vpc.vpcId, EnableDnsHostnames: { Value: true } });
  const VpcId = vpc.vpcId;
  const subnet = async (CidrBlock: string, zone: string) =>
    subnetSchema.parse(await ec2.call("CreateSubnet", { VpcId, CidrBlock, AvailabilityZone: `${region}${zone}` }))
      .subnet.subnetId;
  const group = async (GroupName: string) =>
    groupSchema.parse(await ec2.call("CreateSecurityGroup", { GroupName, GroupDescription: GroupName, VpcId })).groupId;
  const { prefixList } = prefixListSchema.parse(
    await ec2.call("CreateManagedPrefixList", { PrefixListName: "s3", MaxEntries: 1, AddressFamily: "IPv4" }),
  );
  const cluster = "instances";
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  const { FileSystemId } = await efs.send(new CreateFileSystemCommand({ CreationToken: "bh" }));
  return settingsOf({
    cluster,
    vpcId: VpcId,
    fileSystemId: FileSystemId ?? "",
    subnetIds: [await subnet("10.64.0.0/20", "a"), await subnet("10.64.16.0/20", "b")],
    securityGroups: {
      gateway: await group("gateway"),
      bridge: await group("bridge"),
      proxy: await group("proxy"),
      fileSystem: await group("files"),
      endpoints: await group("endpoints"),
    },
    s3PrefixListId: prefixList.prefixListId,
  });
}
