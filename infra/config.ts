import { RetentionDays } from "aws-cdk-lib/aws-logs";
import { z } from "zod";
import { networkPolicySchema } from "#contracts/control/network.ts";
import { iamProjectsSchema } from "../lambdas/api/iam-projects.ts";
import type { Settings } from "../lambdas/environment.ts";
import { jsonOf, oneOf, overlap, recordOf, vpcCidr, whole, yesOrNo, zonePair } from "./context-values.ts";
import { type ProfileDefaults, profileNames, profiles } from "./profiles.ts";

const digest = z.string().regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/, "an image by digest: registry/name@sha256:…");

/** Where it stands and what it is called. */
const place = {
  /** Names the stacks and tags every object; one account may hold several deployments. */
  deployment: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,20}$/, "lowercase letters, digits and hyphens, 2 to 21 characters")
    .default("bulkhead"),
  profile: z.enum(profileNames).default("dev"),
  /** Account and region to pin the stacks to; both or none. Without them a template fits any. */
  account: z
    .string()
    .regex(/^\d{12}$/)
    .optional(),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/)
    .optional(),
  /**
   * Two availability zones, e.g. `us-east-1a,us-east-1d`: for accounts whose first two have no Fargate.
   * @default - the first two of the region
   */
  zones: zonePair().optional(),
  sandboxCidr: vpcCidr().default("10.92.0.0/16"),
  edgeCidr: vpcCidr().default("10.93.0.0/22"),
};

/** How it is reached, and who hears of it. */
const doors = {
  /** Domain of the gateway and of `<port>-<id>.<domain>`. @default - CloudFront's own name, sandboxes found by path */
  domain: z
    .string()
    .regex(/^(?=.{4,190}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/)
    .optional(),
  /** Hosted zone that holds the domain. @default - records are made by hand */
  hostedZoneId: z
    .string()
    .regex(/^Z[A-Z0-9]{3,31}$/)
    .optional(),
  /** Certificate for the domain and `*.<domain>`. @default - made in the hosted zone */
  certificateArn: z.string().startsWith("arn:").optional(),
  /** A WAF in front of the API: about $8 a month. */
  waf: yesOrNo().default(false),
  /** Hears of alarms. @default - the topic has no subscriber */
  alarmEmail: z.email().optional(),
  organizationId: whole(1, 2_147_483_647).default(1),
  /** Project of callers that come with an IAM role, and of the deployment's first API key. */
  defaultProject: z.string().min(1).max(64).default("default"),
};

/** How long sandboxes may live, and how fast they are made. */
const life = {
  idleTimeoutSeconds: whole(60, 604_800).default(3600),
  maxLifetimeSeconds: whole(60, 2_592_000).default(86_400),
  /** How long a create waits for its instance; API Gateway gives up after 29 s. */
  createWaitMs: whole(1000, 26_000).default(20_000),
  tombstoneSeconds: whole(3600, 2_592_000).default(86_400),
  /** Fargate allows 20 launches a second and a burst of 100 per account (aws-facts §1.1): the rest is left to others. */
  launchesPerSecond: whole(1, 20).default(15),
  launchBurst: whole(1, 100).default(80),
  /** Images by template name, by digest. @default - built at deploy time */
  images: recordOf(digest).default({}),
  /** Image of gateway and egress proxy, by digest. @default - built at deploy time */
  edgeImage: digest.optional(),
};

/** A function's environment holds 4 kB, and most of them are told. */
const longestNetwork = 2000;

const statement = z.looseObject({
  Effect: z.enum(["Allow", "Deny"]).default("Allow"),
  Action: z.union([z.string(), z.array(z.string())]),
  Resource: z.union([z.string(), z.array(z.string())]),
});

/** What sandboxes may reach. */
const reach = {
  /** Policy of sandboxes whose caller and template say nothing, as in the API. @default - every public address */
  network: jsonOf(
    networkPolicySchema.refine(
      (policy) => JSON.stringify(policy).length <= longestNetwork,
      `longer than ${longestNetwork} characters; give long lists to templates`,
    ),
  ).optional(),
  /** IAM statements: what sandboxes with AWS grants may do at most. @default - nothing */
  sandboxAccess: jsonOf(z.array(statement)).default([]),
  /** Accounts beside the deployment's own whose resources they may touch. */
  sandboxAccessAccounts: jsonOf(z.array(z.string().regex(/^\d{12}$/))).default([]),
};

/** A function's environment holds 4 kB. */
const longestRoles = 1200;

/** Who may do what, and what is kept of it. */
const rules = {
  /** Longest life of an API key. @default - as long as is asked for */
  maxKeyDays: whole(1, 3650).optional(),
  /** Which IAM roles belong to which project; where there are any, others are refused. @default - all belong to the default project */
  iamProjects: jsonOf(
    iamProjectsSchema.refine(
      (list) => JSON.stringify(list).length <= longestRoles,
      `longer than ${longestRoles} characters`,
    ),
  ).default([]),
  /** How long a sandbox is held in quarantine unless it is released. */
  quarantineSeconds: whole(60, 7_776_000).default(604_800),
  /** Keep the text of what is run in the audit record, beside its hash and size. */
  auditContent: yesOrNo().default(false),
};

/** What the profiles decide differently. */
const size = (defaults: ProfileDefaults) => ({
  /** Zones of the sandbox VPC; a template that fits any region knows of two. The edge VPC always has two: load balancers want them. */
  availabilityZones: whole(1, 2).default(defaults.availabilityZones),
  gatewayTasks: whole(1, 50).default(defaults.gatewayTasks),
  proxyTasks: whole(1, 50).default(defaults.proxyTasks),
  /** Gateway and proxy on FARGATE_SPOT: 70 % off, two minutes' notice. */
  edgeSpot: yesOrNo().default(defaults.edgeSpot),
  edgeCpu: whole(256, 4096).default(defaults.edgeCpu),
  edgeMemoryMiB: whole(512, 30_720).default(defaults.edgeMemoryMiB),
  /** Warm instances to hold, by template name. */
  pool: recordOf(whole(0, 500)).default({ ...defaults.pool }),
  quotaPerProject: whole(1, 10_000).default(defaults.quotaPerProject),
  /** What holds data survives the deletion of its stack. */
  retainData: yesOrNo().default(defaults.retainData),
  deletionProtection: yesOrNo().default(defaults.deletionProtection),
  /** How long the record of sandboxes' connections can be asked for. */
  egressDays: whole(1, 3650).default(30),
  /** One of the numbers of days that CloudWatch Logs offers. */
  logRetentionDays: oneOf(RetentionDays).default(defaults.logRetentionDays),
  /** How long nobody, root included, can remove a CloudTrail record. Only where data is retained. */
  auditLockDays: whole(1, 3650).default(365),
});

/** Everything a deployment may choose, read from CDK context (`-c name=value`, or cdk.json) once and passed on whole. */
const schemaWith = (defaults: ProfileDefaults) =>
  z.object({ ...place, ...doors, ...life, ...reach, ...rules, ...size(defaults) });

export type DeploymentConfig = z.output<ReturnType<typeof schemaWith>>;

/** @throws Error that lists every bad value at once */
export function parseDeploymentConfig(context: Record<string, unknown>): DeploymentConfig {
  // A bad profile is reported with everything else; until then dev's defaults stand in.
  const profile = z.enum(profileNames).catch("dev").parse(context["profile"]);
  const parsed = schemaWith(profiles[profile]).safeParse(context);
  const problems = parsed.success ? contradictions(parsed.data) : [z.prettifyError(parsed.error)];
  if (!parsed.success || problems.length > 0) throw new Error(`Bad CDK context:\n${problems.join("\n")}`);
  return parsed.data;
}

function contradictions(config: DeploymentConfig): string[] {
  const rules: [boolean, string][] = [
    [overlap(config.sandboxCidr, config.edgeCidr), "sandboxCidr and edgeCidr overlap: peered VPCs cannot"],
    [config.idleTimeoutSeconds > config.maxLifetimeSeconds, "idleTimeoutSeconds is longer than maxLifetimeSeconds"],
    [(config.account === undefined) !== (config.region === undefined), "account and region: give both or none"],
    [
      config.zones?.some((zone) => config.region !== undefined && !zone.startsWith(config.region)) === true,
      `zones are not in ${config.region ?? "the region"}`,
    ],
    [
      config.domain !== undefined && config.hostedZoneId === undefined && config.certificateArn === undefined,
      "domain needs hostedZoneId (the certificate is made there) or certificateArn",
    ],
    [
      config.domain === undefined && (config.hostedZoneId ?? config.certificateArn) !== undefined,
      "hostedZoneId and certificateArn mean nothing without domain",
    ],
  ];
  return rules.filter(([broken]) => broken).map(([, text]) => `✖ ${text}`);
}

/** What the functions are told of it. */
export function settingsOf(config: DeploymentConfig): Settings {
  const { idleTimeoutSeconds, maxLifetimeSeconds, createWaitMs, quotaPerProject, pool, tombstoneSeconds } = config;
  const { launchesPerSecond, launchBurst, organizationId, defaultProject, network } = config;
  const { maxKeyDays, iamProjects, quarantineSeconds } = config;
  return {
    idleTimeoutSeconds,
    maxLifetimeSeconds,
    createWaitMs,
    quotaPerProject,
    pool,
    tombstoneSeconds,
    launchesPerSecond,
    launchBurst,
    organizationId,
    defaultProject,
    quarantineSeconds,
    ...(iamProjects.length > 0 && { iamProjects }),
    ...(maxKeyDays !== undefined && { maxKeySeconds: maxKeyDays * 86_400 }),
    ...(network !== undefined && { network }),
  };
}
