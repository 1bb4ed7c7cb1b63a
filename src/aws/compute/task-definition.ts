import {
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  type ECSClient,
  paginateListTaskDefinitionFamilies,
  paginateListTaskDefinitions,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
} from "@aws-sdk/client-ecs";
import { BulkheadError } from "#contracts/errors.ts";
import type { LaunchRequest } from "#core/ports.ts";
import { fargateSize } from "./fargate-size.ts";
import { instanceOfName, nameOf, tagsOf, uidOf } from "./names.ts";
import { callProvider } from "./provider-failure.ts";
import type { LaunchSettings, TeardownSettings } from "./settings.ts";

/** Writable places of a container whose own file system is read-only. They live and die with the task. */
const scratch = { tmp: "/tmp", run: "/run/bulkhead", home: "/home/user" } as const;
const workspace = "workspace";

/**
 * What Fargate grants a container by default, without what the agent needs to run user code as another user and to end it: SETUID,
 * SETGID, KILL; and CHOWN, DAC_OVERRIDE, FOWNER to serve that user's files. User code has none of them: it is not root.
 */
const droppedCapabilities = [
  "AUDIT_WRITE",
  "FSETID",
  "MKNOD",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETPCAP",
  "SYS_CHROOT",
];

/** Processes and threads of user code. */
const userProcesses = 512;
const openFiles = 65_535;
const stopSeconds = 5;

/** Registers the instance's own revision: volumes cannot be overridden when a task is run. @returns its ARN */
export async function registerTaskDefinition(
  ecs: ECSClient,
  settings: LaunchSettings,
  request: LaunchRequest,
  accessPointId: string,
): Promise<string> {
  const input = taskDefinition(settings, request, accessPointId);
  const answer = await callProvider(() => ecs.send(new RegisterTaskDefinitionCommand(input)));
  const arn = answer?.taskDefinition?.taskDefinitionArn;
  if (arn === undefined) throw new BulkheadError("INTERNAL_ERROR", "The container service named no task definition.");
  return arn;
}

/** Nothing here is secret: code in the task can read its own definition. */
export function taskDefinition(
  settings: LaunchSettings,
  { instanceId, template, resources }: LaunchRequest,
  accessPointId: string,
): RegisterTaskDefinitionCommandInput {
  const image = settings.images[template.name];
  if (image === undefined) throw new BulkheadError("HOST_UNSUITABLE", `Template ${template.name} has no image here.`);
  const uid = String(uidOf(instanceId));
  const environment: Readonly<Record<string, string>> = {
    BULKHEAD_INSTANCE_ID: instanceId,
    BULKHEAD_TEMPLATE: template.name,
    BULKHEAD_AGENT_PORT: String(settings.agentPort),
    BULKHEAD_AGENT_TLS: "1",
    BULKHEAD_USER_UID: uid,
    BULKHEAD_USER_GID: uid,
    BULKHEAD_EGRESS_ADDRESS: `${settings.egressProxy.host}:${settings.egressProxy.port}`,
    BULKHEAD_DISK_QUOTA_MB: String(resources.disk_mb),
    BULKHEAD_USER_PROCESSES: String(userProcesses),
    BULKHEAD_FEATURES: JSON.stringify(template.features),
  };
  return {
    family: nameOf(settings.deployment, instanceId),
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    runtimePlatform: { operatingSystemFamily: "LINUX", cpuArchitecture: settings.architecture },
    ...fargateSize(resources),
    executionRoleArn: settings.executionRoleArn,
    tags: [...tagsOf(settings.deployment, instanceId)],
    volumes: [
      {
        name: workspace,
        efsVolumeConfiguration: {
          fileSystemId: settings.fileSystemId,
          transitEncryption: "ENABLED",
          authorizationConfig: { accessPointId, iam: "DISABLED" },
        },
      },
      ...Object.keys(scratch).map((name) => ({ name })),
    ],
    containerDefinitions: [
      {
        name: "agent",
        image,
        essential: true,
        user: "0",
        readonlyRootFilesystem: true,
        stopTimeout: stopSeconds,
        linuxParameters: { initProcessEnabled: true, capabilities: { drop: [...droppedCapabilities] } },
        ulimits: [{ name: "nofile", softLimit: openFiles, hardLimit: openFiles }],
        environment: Object.entries(environment).map(([name, value]) => ({ name, value })),
        mountPoints: [
          { sourceVolume: workspace, containerPath: "/workspace" },
          ...Object.entries(scratch).map(([sourceVolume, containerPath]) => ({ sourceVolume, containerPath })),
        ],
      },
    ],
  };
}

/** Instances of which a task definition still stands. */
export async function listDefinedInstances(ecs: ECSClient, settings: TeardownSettings): Promise<string[]> {
  const found: string[] = [];
  const query = { familyPrefix: `${settings.deployment}-i`, status: "ACTIVE" } as const;
  await callProvider(async () => {
    for await (const page of paginateListTaskDefinitionFamilies({ client: ecs }, query)) {
      for (const family of page.families ?? []) found.push(instanceOfName(settings.deployment, family) ?? "");
    }
  });
  return found.filter((id) => id !== "");
}

export async function deleteTaskDefinitions(ecs: ECSClient, settings: TeardownSettings, instanceId: string): Promise<void> {
  const arns: string[] = [];
  const query = { familyPrefix: nameOf(settings.deployment, instanceId), status: "ACTIVE" } as const;
  await callProvider(async () => {
    for await (const page of paginateListTaskDefinitions({ client: ecs }, query)) arns.push(...(page.taskDefinitionArns ?? []));
  });
  for (const taskDefinition of arns) {
    await callProvider(() => ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition })));
  }
  // At most ten go at a time; a family has one, or a few after repeated launches. Ten more go with the next attempt.
  if (arns.length > 0) {
    await callProvider(() => ecs.send(new DeleteTaskDefinitionsCommand({ taskDefinitions: arns.slice(0, 10) })));
  }
}
