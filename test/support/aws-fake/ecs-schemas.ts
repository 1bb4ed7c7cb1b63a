import { z } from "zod";

/** The fields that we rely on, and no others: a request that says more is refused, so that nothing is sent that nobody looked at. */

const tags = z.array(z.strictObject({ key: z.string().min(1).max(128), value: z.string().max(256) })).max(50);

export const runTaskSchema = z.strictObject({
  cluster: z.string(),
  taskDefinition: z.string(),
  launchType: z.literal("FARGATE"),
  platformVersion: z.enum(["1.4.0", "LATEST"]),
  count: z.literal(1),
  clientToken: z.string().min(1).max(64),
  startedBy: z.string().max(128),
  group: z.string(),
  enableExecuteCommand: z.literal(false),
  enableECSManagedTags: z.boolean().optional(),
  propagateTags: z.enum(["TASK_DEFINITION", "NONE"]).optional(),
  tags,
  networkConfiguration: z.strictObject({
    awsvpcConfiguration: z.strictObject({
      subnets: z.array(z.string()).min(1).max(16),
      securityGroups: z.array(z.string()).min(1).max(5),
      assignPublicIp: z.literal("DISABLED"),
    }),
  }),
});

/** Fargate takes no other; `add` may only name SYS_PTRACE, which nobody needs here. */
const capability = z.enum([
  "ALL",
  "AUDIT_CONTROL",
  "AUDIT_WRITE",
  "BLOCK_SUSPEND",
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "IPC_LOCK",
  "IPC_OWNER",
  "KILL",
  "LEASE",
  "LINUX_IMMUTABLE",
  "MAC_ADMIN",
  "MAC_OVERRIDE",
  "MKNOD",
  "NET_ADMIN",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_RAW",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_CHROOT",
  "SYS_MODULE",
  "SYS_NICE",
  "SYS_PACCT",
  "SYS_PTRACE",
  "SYS_RAWIO",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "SYSLOG",
  "WAKE_ALARM",
]);

const containerSchema = z.strictObject({
  name: z.string(),
  image: z.string(),
  essential: z.literal(true),
  memory: z.number().int().min(6).optional(),
  user: z.string(),
  readonlyRootFilesystem: z.boolean(),
  stopTimeout: z.number().int().min(2).max(120),
  linuxParameters: z.strictObject({
    initProcessEnabled: z.boolean(),
    capabilities: z.strictObject({ drop: z.array(capability) }),
  }),
  ulimits: z.array(z.strictObject({ name: z.literal("nofile"), softLimit: z.number(), hardLimit: z.number() })),
  portMappings: z
    .array(z.strictObject({ containerPort: z.number(), protocol: z.literal("tcp").optional() }))
    .optional(),
  environment: z.array(z.strictObject({ name: z.string(), value: z.string() })),
  mountPoints: z.array(
    z.strictObject({
      sourceVolume: z.string(),
      containerPath: z.string().startsWith("/"),
      readOnly: z.boolean().optional(),
    }),
  ),
});

export const taskDefinitionSchema = z.strictObject({
  family: z.string().regex(/^[a-zA-Z0-9_-]{1,255}$/),
  requiresCompatibilities: z.tuple([z.literal("FARGATE")]),
  networkMode: z.literal("awsvpc"),
  runtimePlatform: z.strictObject({
    operatingSystemFamily: z.literal("LINUX"),
    cpuArchitecture: z.enum(["ARM64", "X86_64"]),
  }),
  cpu: z.string().regex(/^\d+$/),
  memory: z.string().regex(/^\d+$/),
  ephemeralStorage: z.strictObject({ sizeInGiB: z.number().int().min(21).max(200) }).optional(),
  executionRoleArn: z.string(),
  tags,
  volumes: z.array(
    z.strictObject({
      name: z.string(),
      efsVolumeConfiguration: z
        .strictObject({
          fileSystemId: z.string(),
          // An access point needs it, and gives the root: no other may be named.
          transitEncryption: z.literal("ENABLED"),
          rootDirectory: z.literal("/").optional(),
          // ENABLED would need a task role.
          authorizationConfig: z.strictObject({ accessPointId: z.string(), iam: z.literal("DISABLED") }),
        })
        .optional(),
    }),
  ),
  containerDefinitions: z.array(containerSchema).min(1).max(10),
});

const step = (first: number, last: number, by: number) =>
  Array.from({ length: (last - first) / by + 1 }, (_, index) => String((first + index * by) * 1024));

/** MiB that Fargate has for each number of CPU units (aws-facts §1.2). */
export const fargateMemory: Readonly<Record<string, readonly string[]>> = {
  "256": ["512", "1024", "2048"],
  "512": step(1, 4, 1),
  "1024": step(2, 8, 1),
  "2048": step(4, 16, 1),
  "4096": step(8, 30, 1),
  "8192": step(16, 60, 4),
  "16384": step(32, 120, 8),
};

const paging = { nextToken: z.string().optional(), maxResults: z.number().int().min(1).max(100).optional() };
const desiredStatus = z.enum(["RUNNING", "STOPPED"]);

/** `startedBy` "must be the only filter that you use" (ListTasks). */
export const listTasksSchema = z.union([
  z.strictObject({ cluster: z.string(), startedBy: z.string(), ...paging }),
  z.strictObject({ cluster: z.string(), family: z.string(), desiredStatus, ...paging }),
  z.strictObject({ cluster: z.string(), desiredStatus: desiredStatus.default("RUNNING"), ...paging }),
]);
export const describeTasksSchema = z.strictObject({
  cluster: z.string(),
  tasks: z.array(z.string()).min(1).max(100),
  include: z.array(z.literal("TAGS")).default([]),
});
export const stopTaskSchema = z.strictObject({
  cluster: z.string(),
  task: z.string(),
  reason: z.string().max(1024).optional(),
});
const definitionStatus = z.enum(["ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"]);
/** `familyPrefix` is a whole family here, a prefix in ListTaskDefinitionFamilies. */
export const listTaskDefinitionsSchema = z.strictObject({
  familyPrefix: z.string(),
  status: definitionStatus.default("ACTIVE"),
  ...paging,
});
export const listFamiliesSchema = z.strictObject({
  familyPrefix: z.string(),
  status: z.enum(["ACTIVE", "INACTIVE", "ALL"]).default("ACTIVE"),
  ...paging,
});
export const deregisterSchema = z.strictObject({ taskDefinition: z.string() });
export const deleteDefinitionsSchema = z.strictObject({ taskDefinitions: z.array(z.string()).min(1).max(10) });
