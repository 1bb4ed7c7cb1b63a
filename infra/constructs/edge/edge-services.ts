import { CfnOutput } from "aws-cdk-lib";
import type { FargateService } from "aws-cdk-lib/aws-ecs";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../../config.ts";
import type { PlatformEdge, PlatformImages, PlatformNetwork, PlatformState } from "../parts.ts";
import { Balancer } from "./balancer.ts";
import { CloudFrontFront } from "./cloudfront-front.ts";
import { DomainFront } from "./domain-front.ts";
import { EdgeCluster } from "./edge-cluster.ts";
import { EgressProxy } from "./egress-proxy.ts";
import { Gateway } from "./gateway.ts";
import type { SandboxAccess } from "./sandbox-access.ts";

export interface EdgeServicesProps {
  readonly config: DeploymentConfig;
  readonly network: PlatformNetwork;
  readonly state: PlatformState;
  readonly images: Pick<PlatformImages, "edge">;
}

/** The data plane outside of instances: gateway and egress proxy, and what stands in front of the gateway. */
export class EdgeServices extends Construct implements PlatformEdge {
  readonly gatewayUrl: string;
  readonly domain: string | null;
  readonly egressProxy: PlatformEdge["egressProxy"];
  readonly logGroups: PlatformEdge["logGroups"];
  /** What sandboxes may do in AWS. */
  readonly sandboxAccess: SandboxAccess;
  /** For alarms. */
  readonly balancer: Balancer;
  readonly services: Readonly<Record<"gateway" | "egressProxy", FargateService>>;

  constructor(scope: Construct, id: string, props: EdgeServicesProps) {
    super(scope, id);
    const { config, network, state, images } = props;
    const place = new EdgeCluster(this, "Cluster", { config, network });
    const shared = { config, network, state, cluster: place.cluster, image: images.edge };
    const gateway = new Gateway(this, "Gateway", shared);
    const proxy = new EgressProxy(this, "EgressProxy", shared);
    const { domain } = config;
    this.services = { gateway: gateway.edge.service, egressProxy: proxy.edge.service };
    for (const service of Object.values(this.services)) place.holds(service);
    this.balancer = new Balancer(this, "Balancer", {
      config,
      network,
      service: gateway.edge.service,
      internetFacing: domain !== undefined,
    });
    this.gatewayUrl = this.front(props).url;
    this.domain = domain ?? null;
    this.egressProxy = proxy.address;
    this.sandboxAccess = proxy.access;
    this.logGroups = { gateway: gateway.edge.logGroup, egressProxy: proxy.edge.logGroup };
  }

  private front({ config, network, state }: EdgeServicesProps): { readonly url: string } {
    const { balancer } = this;
    const { domain } = config;
    if (domain === undefined) {
      return new CloudFrontFront(this, "Front", { config, vpc: network.edgeVpc, balancer, logKey: state.keys.data });
    }
    if (config.hostedZoneId === undefined) {
      new CfnOutput(this, "BalancerName", {
        description: `Point ${domain} and *.${domain} here`,
        value: balancer.balancer.loadBalancerDnsName,
      });
    }
    return new DomainFront(this, "Front", { config: { ...config, domain }, balancer });
  }
}
