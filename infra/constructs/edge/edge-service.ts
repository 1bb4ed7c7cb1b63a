import { Duration, Size } from "aws-cdk-lib";
import type { ISecurityGroup } from "aws-cdk-lib/aws-ec2";
import {
  AwsLogDriverMode,
  Capability,
  type CloudMapOptions,
  ContainerImage,
  CpuArchitecture,
  FargatePlatformVersion,
  FargateService,
  FargateTaskDefinition,
  type ICluster,
  LinuxParameters,
  LogDriver,
  OperatingSystemFamily,
  PropagatedTagSource,
  UlimitName,
} from "aws-cdk-lib/aws-ecs";
import type { IRole } from "aws-cdk-lib/aws-iam";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { Right } from "../functions/right.ts";
import { encryptedLogGroup } from "../log-group.ts";
import type { PlatformNetwork, PlatformState } from "../parts.ts";
import { executionRole, taskRole } from "./roles.ts";

export interface EdgeServiceProps {
  readonly config: DeploymentConfig;
  readonly network: Pick<PlatformNetwork, "edgeSubnets">;
  readonly state: PlatformState;
  readonly cluster: ICluster;
  readonly image: string;
  /** The program of the image: `/app/<name>.mjs`. */
  readonly name: "gateway" | "egress-proxy";
  readonly environment: Readonly<Record<string, string>>;
  readonly port: number;
  /** Answers `GET /health`. */
  readonly healthPort: number;
  readonly rights: readonly Right[];
  readonly securityGroup: ISecurityGroup;
  readonly tasks: number;
  /** How other VPCs find it. @default - not by name */
  readonly cloudMap?: CloudMapOptions;
}

/** What the process gets of the container's memory: the rest is buffers, which are outside of V8's heap. */
const heapShare = 0.6;
/** The longest that Fargate grants between SIGTERM and SIGKILL (src/edge/service.ts drains in less). */
const stopTimeout = Duration.seconds(120);

/**
 * Gateway or egress proxy: tasks on arm64 in public subnets, closed to the internet by their security group. Nothing in them can be
 * written, no capability is left, and the role holds what the program's calls need.
 */
export class EdgeService extends Construct {
  readonly service: FargateService;
  readonly logGroup: LogGroup;
  /** What its program is. */
  readonly taskRole: IRole;

  constructor(scope: Construct, id: string, props: EdgeServiceProps) {
    super(scope, id);
    const { config, cluster, tasks, cloudMap } = props;
    this.logGroup = encryptedLogGroup(this, "Log", { config, key: props.state.keys.data });
    // Handed on without the ability to grow: what roles.ts and the rights say is all.
    this.taskRole = taskRole(
      this,
      "TaskRole",
      `${config.deployment} ${props.name}`,
      props.rights,
    ).withoutPolicyUpdates();
    this.service = new FargateService(this, "Service", {
      cluster,
      taskDefinition: this.taskDefinition(props),
      desiredCount: tasks,
      platformVersion: FargatePlatformVersion.VERSION1_4,
      capacityProviderStrategies: [{ capacityProvider: config.edgeSpot ? "FARGATE_SPOT" : "FARGATE", weight: 1 }],
      assignPublicIp: true,
      vpcSubnets: { subnets: [...props.network.edgeSubnets] },
      securityGroups: [props.securityGroup],
      // New tasks first, also of one: a deployment that does not come up is taken back and nobody notices.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { enable: true, rollback: true },
      enableExecuteCommand: false,
      propagateTags: PropagatedTagSource.SERVICE,
      ...(cloudMap !== undefined && { cloudMapOptions: cloudMap }),
    });
    if (tasks > 1) this.scale(tasks);
  }

  private taskDefinition(props: EdgeServiceProps): FargateTaskDefinition {
    const { config, state, name, port, healthPort } = props;
    const { repositoryArn } = state.imageRepository;
    const what = `${config.deployment} ${name}`;
    const start = { repositoryArn, image: config.edgeImage, logGroup: this.logGroup };
    const definition = new FargateTaskDefinition(this, "Task", {
      family: `${config.deployment}-${name}`,
      cpu: config.edgeCpu,
      memoryLimitMiB: config.edgeMemoryMiB,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
      executionRole: executionRole(this, "ExecutionRole", `${what}: starts it`, start).withoutPolicyUpdates(),
      taskRole: this.taskRole,
    });
    const linuxParameters = new LinuxParameters(this, "Linux", { initProcessEnabled: true });
    linuxParameters.dropCapabilities(Capability.ALL);
    const container = definition.addContainer(name, {
      image: ContainerImage.fromRegistry(props.image),
      command: [`--max-old-space-size=${Math.floor(config.edgeMemoryMiB * heapShare)}`, `/app/${name}.mjs`],
      environment: { ...props.environment },
      portMappings: [{ containerPort: port }],
      readonlyRootFilesystem: true,
      linuxParameters,
      stopTimeout,
      healthCheck: {
        command: ["CMD", "/bin/node", "/app/health.mjs", String(healthPort)],
        interval: Duration.seconds(30),
        timeout: Duration.seconds(5),
        retries: 3,
        startPeriod: Duration.seconds(30),
      },
      logging: LogDriver.awsLogs({
        logGroup: this.logGroup,
        streamPrefix: name,
        // A slow log must not hold up traffic.
        mode: AwsLogDriverMode.NON_BLOCKING,
        maxBufferSize: Size.mebibytes(4),
      }),
    });
    container.addUlimits({ name: UlimitName.NOFILE, softLimit: 65_535, hardLimit: 65_535 });
    acknowledge(definition, {
      "Annotation::@aws-cdk/aws-ecs:ecrImageRequiresPolicy": "The execution role may pull it: roles.ts.",
      "AwsSolutions-ECS2": "Names and addresses of this deployment's own objects; nothing in it is secret.",
    });
    return definition;
  }

  /** By CPU for requests, by memory for connections, which a load balancer does not count by task. */
  private scale(tasks: number): void {
    const scaling = this.service.autoScaleTaskCount({ minCapacity: tasks, maxCapacity: 4 * tasks });
    // Open connections end with their task: it leaves late.
    const calm = { scaleInCooldown: Duration.minutes(15), scaleOutCooldown: Duration.minutes(1) };
    scaling.scaleOnCpuUtilization("Cpu", { targetUtilizationPercent: 60, ...calm });
    scaling.scaleOnMemoryUtilization("Memory", { targetUtilizationPercent: 75, ...calm });
  }
}
