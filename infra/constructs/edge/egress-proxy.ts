import { Duration, Stack } from "aws-cdk-lib";
import type { ICluster } from "aws-cdk-lib/aws-ecs";
import { DnsRecordType, PrivateDnsNamespace } from "aws-cdk-lib/aws-servicediscovery";
import { Construct } from "constructs";
import type { z } from "zod";
import type { egressProxyEnvSchema } from "../../../src/edge/egress-proxy/env.ts";
import type { DeploymentConfig } from "../../config.ts";
import { privateZone } from "../dns-firewall.ts";
import { secretPrefixOf } from "../functions/key-rights.ts";
import type { PlatformEdge, PlatformNetwork, PlatformState } from "../parts.ts";
import { ports } from "../security-groups.ts";
import { brokerRights } from "./broker-rights.ts";
import { EdgeService } from "./edge-service.ts";
import { egressProxyRights } from "./record-rights.ts";
import { accessRoleArnOf, SandboxAccess } from "./sandbox-access.ts";

const healthPort = 8081;
const label = "egress";

export interface EgressProxyProps {
  readonly config: DeploymentConfig;
  readonly network: PlatformNetwork;
  readonly state: PlatformState;
  readonly cluster: ICluster;
  readonly image: string;
}

/** The way out: tasks that instances find by name in a zone that only the sandbox VPC resolves. */
export class EgressProxy extends Construct {
  readonly edge: EdgeService;
  readonly address: PlatformEdge["egressProxy"];
  readonly access: SandboxAccess;

  constructor(scope: Construct, id: string, props: EgressProxyProps) {
    super(scope, id);
    const { config, network, state } = props;
    const zone = privateZone(config);
    const environment = {
      AWS_REGION: Stack.of(this).region,
      BULKHEAD_DEPLOYMENT: config.deployment,
      BULKHEAD_TABLE: state.table.tableName,
      BULKHEAD_SANDBOX_CIDR: config.sandboxCidr,
      BULKHEAD_ACCESS_ROLE_ARN: accessRoleArnOf(this, config),
      BULKHEAD_DATA_KEY: state.keys.data.keyArn,
      BULKHEAD_SECRET_PREFIX: secretPrefixOf(config.deployment),
      BULKHEAD_EGRESS_DAYS: String(config.egressDays),
      BULKHEAD_PORT: String(ports.egressProxy),
      BULKHEAD_HEALTH_PORT: String(healthPort),
    } satisfies z.input<typeof egressProxyEnvSchema>;
    this.edge = new EdgeService(this, "Edge", {
      ...props,
      name: "egress-proxy",
      environment,
      port: ports.egressProxy,
      healthPort,
      rights: [...egressProxyRights(state), ...brokerRights(this, config, state)],
      securityGroup: network.securityGroups.proxy,
      tasks: config.proxyTasks,
      cloudMap: {
        cloudMapNamespace: new PrivateDnsNamespace(this, "Zone", { name: zone, vpc: network.sandboxVpc }),
        name: label,
        dnsRecordType: DnsRecordType.A,
        // Tasks come and go; agents ask again for each connection.
        dnsTtl: Duration.seconds(10),
      },
    });
    this.access = new SandboxAccess(this, "Access", { config, state, proxyRole: this.edge.taskRole });
    this.address = { host: `${label}.${zone}`, port: ports.egressProxy };
  }
}
