import * as z from "zod";

/** What one Fargate instance is made of; filled in by the deployment, read by the function that launches and the ones that take down. */

const id = z.string().min(1);

/** What is needed to find and take down instances. */
export const teardownSettingsSchema = z.object({
  /** Value of the tag `bulkhead:deployment` on everything that belongs to this deployment. */
  deployment: id,
  /** Name or ARN of the ECS cluster that holds nothing but instances. */
  cluster: id,
  vpcId: id,
  fileSystemId: id,
});
export type TeardownSettings = z.infer<typeof teardownSettingsSchema>;

export const launchSettingsSchema = teardownSettingsSchema.extend({
  /** Isolated subnets of the sandbox VPC, one per Availability Zone. */
  subnetIds: z.array(id).min(1),
  /** Pulls the image; never reaches the container. There is no task role. */
  executionRoleArn: id,
  securityGroups: z.object({
    /** Sources of inbound connections to the agent. */
    gateway: id,
    bridge: id,
    /** Destinations of outbound connections. */
    proxy: id,
    fileSystem: id,
    endpoints: id,
  }),
  /** Managed prefix list of S3 in the region: image layers come from there. */
  s3PrefixListId: id,
  /** Where the egress proxy listens, as seen from the sandbox VPC. */
  egressProxy: z.object({ host: id, port: z.number().int() }),
  /** Port of the agent inside every instance. */
  agentPort: z.number().int().default(7777),
  /** By template name: the image, by digest or by a tag that is never moved. */
  images: z.record(z.string(), id),
  architecture: z.enum(["ARM64", "X86_64"]).default("ARM64"),
});
export type LaunchSettings = z.infer<typeof launchSettingsSchema>;

/** Tags on every object made for an instance: the reconciler finds orphans by them alone. */
export const tagNames = {
  deployment: "bulkhead:deployment",
  /** Whose it is; of an access point that was kept, who used it last. */
  instance: "bulkhead:instance",
  /** On access points: the instance that ended and was to leave its files. They are kept while nobody used them since. */
  keptBy: "bulkhead:kept-by",
} as const;
