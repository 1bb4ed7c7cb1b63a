import { Duration } from "aws-cdk-lib";
import { CfnSecurityGroup, CfnSecurityGroupIngress, type IVpc, SecurityGroup } from "aws-cdk-lib/aws-ec2";
import type { FargateService } from "aws-cdk-lib/aws-ecs";
import {
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ApplicationTargetGroup,
  TargetGroupLoadBalancingAlgorithmType,
  TargetType,
} from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { Construct } from "constructs";
import { balancerIdleSeconds } from "../../../src/edge/gateway/env.ts";
import { acknowledge } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { PlatformNetwork } from "../parts.ts";
import { ConnectionLogs } from "./connection-logs.ts";
import { gatewayPort } from "./gateway.ts";

export interface BalancerProps {
  readonly config: DeploymentConfig;
  readonly network: PlatformNetwork;
  readonly service: FargateService;
  /** Whether it has public addresses. */
  readonly internetFacing: boolean;
}

const noFirewall =
  "Only a sandbox's token opens anything here. Bodies of 100 MB, streams and WebSockets pass through, of which a WAF reads the first kilobytes.";

/** The load balancer in front of the gateway's tasks. Who may connect to it is said by the front that uses it. */
export class Balancer extends Construct {
  readonly balancer: ApplicationLoadBalancer;
  readonly securityGroup: SecurityGroup;
  readonly targets: ApplicationTargetGroup;

  constructor(scope: Construct, id: string, { config, network, service, internetFacing }: BalancerProps) {
    super(scope, id);
    const { edgeVpc: vpc, edgeSubnets } = network;
    const gatewayGroup = network.securityGroups.gateway.securityGroupId;
    this.securityGroup = this.group(vpc, gatewayGroup);
    this.balancer = new ApplicationLoadBalancer(this, "Balancer", {
      vpc,
      vpcSubnets: { subnets: internetFacing ? [...edgeSubnets] : vpc.isolatedSubnets },
      internetFacing,
      // By id, so that no rule is added behind: those below are all.
      securityGroup: SecurityGroup.fromSecurityGroupId(this, "ThisGroup", this.securityGroup.securityGroupId, {
        mutable: false,
      }),
      idleTimeout: Duration.seconds(balancerIdleSeconds),
      dropInvalidHeaderFields: true,
      // Previews are told apart by it.
      preserveHostHeader: true,
      deletionProtection: config.deletionProtection,
    });
    this.targets = new ApplicationTargetGroup(this, "Targets", {
      vpc,
      port: gatewayPort,
      protocol: ApplicationProtocol.HTTP,
      targetType: TargetType.IP,
      // What is open may take so long to end when a task leaves; one without connections leaves at once.
      deregistrationDelay: Duration.minutes(5),
      loadBalancingAlgorithmType: TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
      healthCheck: {
        path: "/health",
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 3,
      },
    });
    service.attachToApplicationTargetGroup(this.targets);
    new CfnSecurityGroupIngress(this, "ToGateway", {
      groupId: gatewayGroup,
      sourceSecurityGroupId: this.securityGroup.securityGroupId,
      ipProtocol: "tcp",
      fromPort: gatewayPort,
      toPort: gatewayPort,
      description: "load balancer",
    });
    new ConnectionLogs(this, "Logs", { config, balancer: this.balancer });
    const noAccessLog =
      "It logs connections instead: an access log holds whole addresses, and a preview's first one carries a sandbox token.";
    acknowledge(this.balancer, {
      "AwsSolutions-ELB2": noAccessLog,
      "NIST.800.53.R5-ELBLoggingEnabled": noAccessLog,
      "NIST.800.53.R5-ALBWAFEnabled": noFirewall,
      ...(!config.deletionProtection && {
        "NIST.800.53.R5-ELBDeletionProtectionEnabled": "This profile is to be destroyed without a trace.",
      }),
    });
  }
  /** Out to the gateway's tasks only. Said inside of the group: a group whose rules all stand outside begins with one that allows everything. */
  private group(vpc: IVpc, gatewayGroup: string): SecurityGroup {
    const group = new SecurityGroup(this, "Group", {
      vpc,
      description: "load balancer of the gateway",
      allowAllOutbound: false,
    });
    const resource = group.node.defaultChild;
    if (!(resource instanceof CfnSecurityGroup)) throw new Error("no AWS::EC2::SecurityGroup behind the construct");
    const toGateway = { ipProtocol: "tcp", fromPort: gatewayPort, toPort: gatewayPort };
    resource.securityGroupEgress = [{ ...toGateway, destinationSecurityGroupId: gatewayGroup, description: "gateway" }];
    return group;
  }
}
