import { CfnSecurityGroup, type IVpc, Peer, Port, SecurityGroup } from "aws-cdk-lib/aws-ec2";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import type { PlatformNetwork } from "./parts.ts";

/** Where agents, the egress proxy and NFS listen. */
export const ports = { agent: 7777, egressProxy: 3128, nfs: 2049, https: 443 } as const;

/**
 * Groups of everything that instances talk to. Instances' own groups are made when they are, and name these as source and destination;
 * seen from here an instance is an address of the sandbox VPC. Nothing is open to the internet. EC2 refuses descriptions with an
 * apostrophe.
 */
export class SecurityGroups extends Construct {
  readonly groups: PlatformNetwork["securityGroups"];

  constructor(scope: Construct, id: string, props: { config: DeploymentConfig; sandboxVpc: IVpc; edgeVpc: IVpc }) {
    super(scope, id);
    const { config, sandboxVpc, edgeVpc } = props;
    const instances = Peer.ipv4(config.sandboxCidr);
    const gateway = this.group("Gateway", edgeVpc, "gateway: to agents and AWS APIs");
    gateway.addEgressRule(instances, Port.tcp(ports.agent), "agents");
    gateway.addEgressRule(Peer.anyIpv4(), Port.tcp(ports.https), "AWS APIs, over their public addresses");
    const proxy = this.group("Proxy", edgeVpc, "egress proxy: from sandboxes to the internet");
    proxy.addIngressRule(instances, Port.tcp(ports.egressProxy), "relays of agents");
    // Which host and port a sandbox reaches is decided by src/egress, which also refuses private addresses.
    proxy.addEgressRule(Peer.anyIpv4(), Port.allTcp(), "what the policies of sandboxes allow");
    const fileSystem = this.group("FileSystem", sandboxVpc, "mount targets of the file system");
    fileSystem.addIngressRule(instances, Port.tcp(ports.nfs), "instances and the janitor");
    const endpoints = this.group("Endpoints", sandboxVpc, "interface endpoints that a task needs to start");
    endpoints.addIngressRule(instances, Port.tcp(ports.https), "instances pulling their image");
    const bridge = this.group("Bridge", sandboxVpc, "bridge function: to agents");
    bridge.addEgressRule(instances, Port.tcp(ports.agent), "agents");
    const janitor = this.group("Janitor", sandboxVpc, "janitor function: to the file system");
    letOutTo(janitor, fileSystem, ports.nfs, "removes files of ended instances");
    this.groups = { gateway, proxy, fileSystem, endpoints, bridge, janitor };
  }

  /** Without any rule: a new group would let everything out. */
  private group(id: string, vpc: IVpc, description: string): SecurityGroup {
    return new SecurityGroup(this, id, { vpc, description, allowAllOutbound: false });
  }
}

/** Said inside of the group: CDK writes a rule that names a group beside it, and a group without a rule inside begins with one that allows everything. */
function letOutTo(from: SecurityGroup, to: SecurityGroup, port: number, description: string): void {
  const resource = from.node.defaultChild;
  if (!(resource instanceof CfnSecurityGroup)) throw new Error("no AWS::EC2::SecurityGroup behind the construct");
  const where = { ipProtocol: "tcp", fromPort: port, toPort: port };
  resource.securityGroupEgress = [{ ...where, destinationSecurityGroupId: to.securityGroupId, description }];
}
