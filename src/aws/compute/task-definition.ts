import type { RegisterTaskDefinitionCommandInput } from "@aws-sdk/client-ecs";
import { BulkheadError } from "#contracts/errors.ts";
import type { LaunchRequest } from "#core/ports.ts";
import { fargateSize } from "./fargate-size.ts";
import { nameOf, tagsOf, uidOf } from "./names.ts";
import type { LaunchSettings } from "./settings.ts";

/** Writable places of a container whose own file system is read-only. They live and die with the task. */
const scratch = { tmp: "/tmp", run: "/run/bulkhead", secrets: "/run/secrets", home: "/home/user" } as const;
const workspace = "workspace";

/**
 * What Fargate grants a container, without what the agent needs, the same six as on one machine: SETUID, SETGID and KILL to run user code
 * as another user and to end it; CHOWN, DAC_OVERRIDE and FOWNER to serve that user's files. User code has none: it is not root.
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
/** The agent ends at once; user code gets no say in it. */
const stopSeconds = 5;

/** @throws BulkheadError HOST_UNSUITABLE when this deployment has no such image */
export function imageOf({ images }: LaunchSettings, template: string): string {
  const image = images[template];
  if (image !== undefined) return image;
  throw new BulkheadError("HOST_UNSUITABLE", `This deployment has no image for the template ${template}.`);
}

/** What the agent is told. Code in the task can read its definition: nothing here is secret. */
function environmentOf(settings: LaunchSettings, request: LaunchRequest, egressCa: string | undefined) {
  const { instanceId, template, resources, diskId } = request;
  const uid = String(uidOf(diskId ?? instanceId));
  const variables: Readonly<Record<string, string>> = {
    BULKHEAD_INSTANCE_ID: instanceId,
    BULKHEAD_TEMPLATE: template.name,
    BULKHEAD_FEATURES: JSON.stringify(template.features),
    BULKHEAD_AGENT_PORT: String(settings.agentPort),
    BULKHEAD_AGENT_TLS: "1",
    BULKHEAD_AGENT_CALLERS: "remote",
    BULKHEAD_USER_UID: uid,
    BULKHEAD_USER_GID: uid,
    BULKHEAD_USER_PROCESSES: String(userProcesses),
    BULKHEAD_DISK_QUOTA_MB: String(resources.disk_mb),
    BULKHEAD_EGRESS_ADDRESS: `${settings.egressProxy.host}:${settings.egressProxy.port}`,
    ...(egressCa !== undefined && { BULKHEAD_CA_PEM: egressCa }),
  };
  return Object.entries(variables).map(([name, value]) => ({ name, value }));
}

/**
 * The instance's own revision: its volume cannot be given when a task is run. No task role, no secret, no log driver.
 * @param egressCa certificate of the egress CA, PEM
 */
export function taskDefinition(
  settings: LaunchSettings,
  request: LaunchRequest,
  accessPointId: string,
  egressCa?: string,
): RegisterTaskDefinitionCommandInput {
  const { deployment, fileSystemId, executionRoleArn, architecture } = settings;
  const { instanceId, template, resources } = request;
  const size = fargateSize(resources);
  return {
    family: nameOf(deployment, instanceId),
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    runtimePlatform: { operatingSystemFamily: "LINUX", cpuArchitecture: architecture },
    ...size,
    executionRoleArn,
    tags: tagsOf(deployment, instanceId),
    volumes: [
      {
        name: workspace,
        efsVolumeConfiguration: {
          fileSystemId,
          transitEncryption: "ENABLED",
          // IAM would need a task role, whose credentials user code could read.
          authorizationConfig: { accessPointId, iam: "DISABLED" },
        },
      },
      ...Object.keys(scratch).map((name) => ({ name })),
    ],
    containerDefinitions: [
      {
        name: "agent",
        image: imageOf(settings, template.name),
        essential: true,
        // All of the task's: the one container's limit, so that reaching it is told as its end.
        memory: Number(size.memory),
        user: "0",
        readonlyRootFilesystem: true,
        stopTimeout: stopSeconds,
        linuxParameters: { initProcessEnabled: true, capabilities: { drop: droppedCapabilities } },
        ulimits: [{ name: "nofile", softLimit: openFiles, hardLimit: openFiles }],
        environment: environmentOf(settings, request, egressCa),
        mountPoints: [
          { sourceVolume: workspace, containerPath: "/workspace" },
          ...Object.entries(scratch).map(([sourceVolume, containerPath]) => ({ sourceVolume, containerPath })),
        ],
      },
    ],
  };
}
