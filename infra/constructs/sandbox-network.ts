import { IpAddresses, type ISubnet, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";

/**
 * Where instances run: isolated subnets only. No internet gateway, no NAT, no route to either, so code in a sandbox cannot reach the
 * internet by any mistake in a rule.
 */
export class SandboxNetwork extends Construct {
  readonly vpc: Vpc;
  readonly subnets: readonly ISubnet[];

  constructor(scope: Construct, id: string, config: DeploymentConfig) {
    super(scope, id);
    const bits = Number(config.sandboxCidr.split("/")[1]);
    this.vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(config.sandboxCidr),
      maxAzs: config.availabilityZones,
      // Half of the range each, also with one zone: a second one can be added without moving the first.
      subnetConfiguration: [{ name: "sandbox", subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: bits + 1 }],
      natGateways: 0,
      createInternetGateway: false,
      restrictDefaultSecurityGroup: true,
    });
    this.subnets = this.vpc.isolatedSubnets;
  }
}
