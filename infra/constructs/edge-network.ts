import { CfnRoute, CfnVPCPeeringConnection, IpAddresses, type ISubnet, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import { Construct } from "constructs";
import { acknowledge } from "../acknowledge.ts";
import type { DeploymentConfig } from "../config.ts";

/**
 * Holds gateway and egress proxy, in public subnets with public addresses: their way out costs nothing an hour, a NAT gateway $32 a
 * month. Their security groups are closed to the internet. The isolated subnets are for an internal load balancer.
 *
 * It has no gateway endpoint for S3 or DynamoDB: the proxy's connections to anybody's buckets and tables would go through it.
 */
export class EdgeNetwork extends Construct {
  readonly vpc: Vpc;
  readonly subnets: readonly ISubnet[];

  constructor(scope: Construct, id: string, config: DeploymentConfig) {
    super(scope, id);
    const cidrMask = Number(config.edgeCidr.split("/")[1]) + 2;
    this.vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(config.edgeCidr),
      maxAzs: 2,
      subnetConfiguration: [
        { name: "edge", subnetType: SubnetType.PUBLIC, cidrMask, mapPublicIpOnLaunch: false },
        { name: "balancer", subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask },
      ],
      natGateways: 0,
      restrictDefaultSecurityGroup: true,
    });
    this.subnets = this.vpc.publicSubnets;
    for (const subnet of this.subnets) {
      acknowledge(subnet, {
        "NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW":
          "The egress proxy's purpose is to reach the allowed part of the internet; nothing from there reaches it (security group).",
      });
    }
  }
}

interface Peered {
  readonly network: Construct & { readonly vpc: Vpc; readonly subnets: readonly ISubnet[] };
  readonly cidr: string;
}

/** Joins the VPCs: the gateway reaches agents, agents reach the egress proxy, load balancers reach nobody. */
export function peer(scope: Construct, one: Peered, other: Peered): void {
  const connection = new CfnVPCPeeringConnection(scope, "Peering", {
    vpcId: one.network.vpc.vpcId,
    peerVpcId: other.network.vpc.vpcId,
  });
  const ways = [
    { from: one.network, to: other.cidr },
    { from: other.network, to: one.cidr },
  ];
  for (const { from, to } of ways) {
    for (const [index, subnet] of from.subnets.entries()) {
      new CfnRoute(from, `PeerRoute${index}`, {
        routeTableId: subnet.routeTable.routeTableId,
        destinationCidrBlock: to,
        vpcPeeringConnectionId: connection.ref,
      });
    }
  }
}
