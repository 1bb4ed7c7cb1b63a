import { Stack } from "aws-cdk-lib";
import type { IVpc } from "aws-cdk-lib/aws-ec2";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import {
  CfnFirewallDomainList,
  CfnFirewallRuleGroup,
  CfnFirewallRuleGroupAssociation,
  CfnResolverQueryLoggingConfig,
  CfnResolverQueryLoggingConfigAssociation,
} from "aws-cdk-lib/aws-route53resolver";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import { layerBucket } from "./endpoints.ts";
import { encryptedLogGroup } from "./log-group.ts";

export interface DnsFirewallProps {
  readonly config: DeploymentConfig;
  readonly vpc: IVpc;
  /** Encrypts the query log. */
  readonly key: IKey;
}

/** Private zone of the deployment, in which the egress proxy is found. */
export function privateZone(config: Pick<DeploymentConfig, "deployment">): string {
  return `${config.deployment}.internal`;
}

/**
 * A VPC without a road out still resolves names, and a name carries data: the sandbox VPC resolves only what a task needs to start and
 * run. Every query is logged.
 */
export class DnsFirewall extends Construct {
  constructor(scope: Construct, id: string, { config, vpc, key }: DnsFirewallProps) {
    super(scope, id);
    const needed = new CfnFirewallDomainList(this, "Needed", { domains: neededNames(this, config) });
    const everything = new CfnFirewallDomainList(this, "Everything", { domains: ["*"] });
    const rules = new CfnFirewallRuleGroup(this, "Rules", {
      firewallRules: [
        {
          priority: 100,
          action: "ALLOW",
          firewallDomainListId: needed.attrId,
          // Allowed names are AWS's own; what they are aliases of need not be listed.
          firewallDomainRedirectionAction: "TRUST_REDIRECTION_DOMAIN",
        },
        { priority: 200, action: "BLOCK", blockResponse: "NODATA", firewallDomainListId: everything.attrId },
      ],
    });
    // A VPC whose firewall cannot answer refuses the query: the default. The CDK's CfnFirewallConfig
    // would say it, but CloudFormation was seen to refuse that type, and the schemas that cfn-lint carries do not have it.
    new CfnFirewallRuleGroupAssociation(this, "Association", {
      vpcId: vpc.vpcId,
      firewallRuleGroupId: rules.attrId,
      priority: 101,
      mutationProtection: config.deletionProtection ? "ENABLED" : "DISABLED",
    });
    this.logQueries(vpc, encryptedLogGroup(this, "Queries", { config, key }));
  }

  private logQueries(vpc: IVpc, queryLog: LogGroup): void {
    const { account } = Stack.of(this);
    queryLog.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("delivery.logs.amazonaws.com")],
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [queryLog.logGroupArn],
        conditions: { StringEquals: { "aws:SourceAccount": account } },
      }),
    );
    const logging = new CfnResolverQueryLoggingConfig(this, "QueryLog", { destinationArn: queryLog.logGroupArn });
    logging.node.addDependency(queryLog);
    new CfnResolverQueryLoggingConfigAssociation(this, "QueryLogAssociation", {
      resourceId: vpc.vpcId,
      resolverQueryLogConfigId: logging.attrId,
    });
  }
}

function neededNames(scope: Construct, config: DeploymentConfig): string[] {
  const { region, urlSuffix } = Stack.of(scope);
  const zone = privateZone(config);
  return [
    `api.ecr.${region}.${urlSuffix}`,
    `*.dkr.ecr.${region}.${urlSuffix}`,
    `${layerBucket(region)}.s3.${region}.${urlSuffix}`,
    // us-east-1 hands out the name without a region.
    `${layerBucket(region)}.s3.${urlSuffix}`,
    // By wildcard: the file system is made after the network. Only AWS puts names there.
    `*.efs.${region}.${urlSuffix}`,
    zone,
    `*.${zone}`,
  ];
}
