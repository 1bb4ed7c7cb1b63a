import { DescribeFileSystemsCommand, DescribeMountTargetsCommand } from "@aws-sdk/client-efs";
import type { Journal } from "../journal.ts";
import type { AccountClients } from "./clients.ts";

/** Of what a deployment is made of; instances' own objects carry bulkhead:deployment (infra/app.ts). */
const platformTag = "bulkhead:platform";

/** Addresses of the deployment's file system, found by its tag. */
export async function mountTargets(
  journal: Journal,
  { efs }: Pick<AccountClients, "efs">,
  deployment: string,
): Promise<readonly string[]> {
  return journal.step(
    "mount targets",
    async () => {
      const { FileSystems = [] } = await efs.send(new DescribeFileSystemsCommand({}));
      const ours = FileSystems.filter(({ Tags = [] }) =>
        Tags.some(({ Key, Value }) => Key === platformTag && Value === deployment),
      );
      const targets = await Promise.all(
        ours.map(({ FileSystemId }) => efs.send(new DescribeMountTargetsCommand({ FileSystemId }))),
      );
      return targets.flatMap(({ MountTargets = [] }) => MountTargets.flatMap(({ IpAddress }) => IpAddress ?? []));
    },
    (found) => {
      if (found.length === 0) throw new Error(`no file system is tagged ${platformTag}=${deployment}`);
      return found.join(", ");
    },
  );
}
