import {
  CfnClusterCapacityProviderAssociations,
  Cluster,
  ContainerInsights,
  type FargateService,
} from "aws-cdk-lib/aws-ecs";
import { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { PlatformNetwork } from "../parts.ts";

const noInsights =
  "Two small services whose CPU, memory and number of tasks ECS reports for nothing; insights are billed by metric and would be most of their bill.";

/** Runs gateway and egress proxy, and no instance: rights to instances' cluster are no rights to these. */
export class EdgeCluster extends Construct {
  readonly cluster: Cluster;
  readonly #providers: CfnClusterCapacityProviderAssociations;

  constructor(
    scope: Construct,
    id: string,
    { config, network }: { config: DeploymentConfig; network: Pick<PlatformNetwork, "edgeVpc"> },
  ) {
    super(scope, id);
    this.cluster = new Cluster(this, "Cluster", {
      clusterName: `${config.deployment}-edge`,
      vpc: network.edgeVpc,
      containerInsightsV2: ContainerInsights.DISABLED,
    });
    this.#providers = new CfnClusterCapacityProviderAssociations(this, "Providers", {
      cluster: this.cluster.clusterName,
      capacityProviders: ["FARGATE", "FARGATE_SPOT"],
      defaultCapacityProviderStrategy: [],
    });
    acknowledge(this.cluster, { "AwsSolutions-ECS4": noInsights });
  }

  /** A service's capacity provider has to be there before it and go after it: ECS removes none that is in use. */
  holds(service: FargateService): void {
    service.node.addDependency(this.#providers);
  }
}
