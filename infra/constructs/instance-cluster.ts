import { Stack } from "aws-cdk-lib";
import { Cluster, ContainerInsights, type ICluster } from "aws-cdk-lib/aws-ecs";
import { PolicyDocument, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { acknowledge } from "../acknowledge.ts";
import type { DeploymentConfig } from "../config.ts";
import { policyInRole, type Right, statementOf, wildcardReasons } from "./functions/right.ts";
import type { PlatformNetwork, PlatformState } from "./parts.ts";

export interface InstanceClusterProps {
  readonly config: DeploymentConfig;
  readonly network: Pick<PlatformNetwork, "sandboxVpc">;
  readonly state: Pick<PlatformState, "imageRepository">;
  /** CloudWatch's metrics per task, billed per metric. @default false */
  readonly containerInsights?: boolean;
}

/**
 * The ECS cluster that holds instances and nothing else, so that a right to its tasks is a right to instances; and the role that Fargate
 * pulls their image with. It never reaches a container, and there is no other: instances have no task role.
 */
export class InstanceCluster extends Construct {
  readonly cluster: ICluster;
  readonly executionRole: Role;

  constructor(scope: Construct, id: string, props: InstanceClusterProps) {
    super(scope, id);
    const { config, network, state } = props;
    const insights = props.containerInsights ?? false;
    const cluster = new Cluster(this, "Cluster", {
      clusterName: `${config.deployment}-instances`,
      vpc: network.sandboxVpc,
      containerInsightsV2: insights ? ContainerInsights.ENABLED : ContainerInsights.DISABLED,
    });
    this.cluster = cluster;
    if (!insights) acknowledge(cluster, noInsights);
    const rights = pullRights(this, state.imageRepository.repositoryArn, Object.values(config.images));
    this.executionRole = new Role(this, "ExecutionRole", {
      description: `${config.deployment}: pulls images of instances`,
      assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
      }),
      inlinePolicies: { PullImages: new PolicyDocument({ statements: rights.map(statementOf) }) },
    });
    acknowledge(this.executionRole, { ...wildcardReasons(Stack.of(this), rights), ...policyInRole });
  }
}

const why =
  "Instances come and go by the hundred and are billed as new metrics each time; the platform has its own metrics and the agent's limits.";
const noInsights = {
  "AwsSolutions-ECS4": why,
  "NIST.800.53.R5-ECSClusterCloudWatchContainerInsights": why,
};

/** Images of our repository, and of those that the configuration names by digest in this account. */
export function pullRights(scope: Construct, repositoryArn: string, images: readonly string[]): Right[] {
  const { partition } = Stack.of(scope);
  const named = images.flatMap((image) => {
    const match = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^@:]+)@/.exec(image);
    return match === null ? [] : [`arn:${partition}:ecr:${match[2]}:${match[1]}:repository/${match[3]}`];
  });
  return [
    {
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
      resources: [...new Set([repositoryArn, ...named])],
    },
    { actions: ["ecr:GetAuthorizationToken"], resources: ["*"], because: "The action knows no resource." },
  ];
}
