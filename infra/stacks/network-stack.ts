import { Fn, Stack, type StackProps } from "aws-cdk-lib";
import type { ISubnet, IVpc } from "aws-cdk-lib/aws-ec2";
import type { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import { DnsFirewall } from "../constructs/dns-firewall.ts";
import { EdgeNetwork, peer } from "../constructs/edge-network.ts";
import { Endpoints } from "../constructs/endpoints.ts";
import { FlowLogs } from "../constructs/flow-logs.ts";
import { letLogsUse, rotatingKey } from "../constructs/keys.ts";
import { encryptedLogGroup } from "../constructs/log-group.ts";
import type { PlatformNetwork } from "../constructs/parts.ts";
import { ownProviderLogs } from "../constructs/provider-logs.ts";
import { S3PrefixList } from "../constructs/s3-prefix-list.ts";
import { SandboxNetwork } from "../constructs/sandbox-network.ts";
import { SecurityGroups } from "../constructs/security-groups.ts";

export interface NetworkStackProps extends StackProps {
  readonly config: DeploymentConfig;
}

/** Two peered VPCs: one that no road leaves, for sandboxes, and one for the ways in and out. */
export class NetworkStack extends Stack implements PlatformNetwork {
  readonly sandboxVpc: IVpc;
  readonly sandboxSubnets: readonly ISubnet[];
  readonly sandboxCidr: string;
  readonly edgeVpc: IVpc;
  readonly edgeSubnets: readonly ISubnet[];
  readonly edgeCidr: string;
  readonly securityGroups: PlatformNetwork["securityGroups"];
  readonly s3PrefixListId: string;
  private readonly zones: DeploymentConfig["zones"];

  constructor(scope: Construct, id: string, { config, ...stackProps }: NetworkStackProps) {
    super(scope, id, { ...stackProps, terminationProtection: config.deletionProtection });
    this.zones = config.zones;
    const sandbox = new SandboxNetwork(this, "Sandbox", config);
    const edge = new EdgeNetwork(this, "Edge", config);
    this.sandboxVpc = sandbox.vpc;
    this.sandboxSubnets = sandbox.subnets;
    this.sandboxCidr = config.sandboxCidr;
    this.edgeVpc = edge.vpc;
    this.edgeSubnets = edge.subnets;
    this.edgeCidr = config.edgeCidr;
    peer(this, { network: sandbox, cidr: config.sandboxCidr }, { network: edge, cidr: config.edgeCidr });
    this.securityGroups = new SecurityGroups(this, "SecurityGroups", {
      config,
      sandboxVpc: sandbox.vpc,
      edgeVpc: edge.vpc,
    }).groups;
    new Endpoints(this, "Endpoints", { vpc: sandbox.vpc, securityGroup: this.securityGroups.endpoints });
    // A key of its own: the state's keys are made after the network, and who reads network logs need not read data.
    const key = rotatingKey(this, "LogKey", config, "network logs");
    letLogsUse(key);
    new FlowLogs(this, "SandboxFlows", { config, vpc: sandbox.vpc, key });
    new FlowLogs(this, "EdgeFlows", { config, vpc: edge.vpc, key });
    new DnsFirewall(this, "DnsFirewall", { config, vpc: sandbox.vpc, key });
    const providerLog = encryptedLogGroup(this, "ProviderLog", { config, key, keep: false });
    this.s3PrefixListId = new S3PrefixList(this, "S3PrefixList", { logGroup: providerLog }).id;
    ownProviderLogs(this, providerLog);
  }

  /** Those of the configuration, else the first two of the region it is deployed to: asked for then, a look-up would need credentials at synth. */
  override get availabilityZones(): string[] {
    if (this.zones !== undefined) return [...this.zones];
    return [0, 1].map((index) => Fn.select(index, Fn.getAzs()));
  }
}
