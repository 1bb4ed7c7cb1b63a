import { Stack } from "aws-cdk-lib";
import { SecurityGroup } from "aws-cdk-lib/aws-ec2";
import type { ICluster } from "aws-cdk-lib/aws-ecs";
import { Construct } from "constructs";
import type { z } from "zod";
import type { gatewayEnvSchema } from "../../../src/edge/gateway/env.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { PlatformNetwork, PlatformState } from "../parts.ts";
import { EdgeService } from "./edge-service.ts";
import { gatewayRights } from "./record-rights.ts";

export const gatewayPort = 8080;

export interface GatewayProps {
  readonly config: DeploymentConfig;
  readonly network: PlatformNetwork;
  readonly state: PlatformState;
  readonly cluster: ICluster;
  readonly image: string;
}

/** The way in: tasks that check the sandbox token and pass requests through to agents. */
export class Gateway extends Construct {
  readonly edge: EdgeService;

  constructor(scope: Construct, id: string, props: GatewayProps) {
    super(scope, id);
    const { config, network, state } = props;
    const environment = {
      AWS_REGION: Stack.of(this).region,
      BULKHEAD_DEPLOYMENT: config.deployment,
      BULKHEAD_TABLE: state.table.tableName,
      BULKHEAD_SIGNING_KEY: state.keys.signing.keyArn,
      BULKHEAD_DOMAIN: config.domain ?? "",
      BULKHEAD_SANDBOX_CIDR: config.sandboxCidr,
      BULKHEAD_PORT: String(gatewayPort),
      BULKHEAD_AUDIT_CONTENT: config.auditContent ? "1" : "0",
    } satisfies z.input<typeof gatewayEnvSchema>;
    const { securityGroupId } = network.securityGroups.gateway;
    this.edge = new EdgeService(this, "Edge", {
      ...props,
      name: "gateway",
      environment,
      port: gatewayPort,
      healthPort: gatewayPort,
      rights: gatewayRights(state),
      // By id: the network's stack must not learn of the load balancer in this one, whose rule stands beside the listener.
      securityGroup: SecurityGroup.fromSecurityGroupId(this, "Group", securityGroupId, { mutable: false }),
      tasks: config.gatewayTasks,
    });
  }
}
