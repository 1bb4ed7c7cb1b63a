import { Stack } from "aws-cdk-lib";
import type { Stage } from "aws-cdk-lib/aws-apigateway";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { CfnLoggingConfiguration, CfnWebACL, CfnWebACLAssociation } from "aws-cdk-lib/aws-wafv2";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../../config.ts";
import { dataRemoval, logRetention } from "../../removal.ts";

export interface FirewallProps {
  readonly config: DeploymentConfig;
  readonly logKey: IKey;
  readonly stages: readonly Stage[];
  /** Requests of one address in five minutes. @default 3000 */
  readonly requestsPerAddress?: number;
}

/** AWS's rules for known attacks, and a limit per address, in front of both doors. */
export class Firewall extends Construct {
  constructor(scope: Construct, id: string, props: FirewallProps) {
    super(scope, id);
    const { config, logKey, stages } = props;
    const acl = new CfnWebACL(this, "Acl", {
      name: `${config.deployment}-api`,
      scope: "REGIONAL",
      defaultAction: { allow: {} },
      visibilityConfig: visible("api"),
      rules: [
        managed(0, "AWSManagedRulesAmazonIpReputationList"),
        managed(1, "AWSManagedRulesKnownBadInputsRuleSet"),
        // Bodies are code, env values and file contents: they look like attacks, and are longer than 8 kB.
        managed(2, "AWSManagedRulesCommonRuleSet", bodyRules),
        perAddress(3, props.requestsPerAddress ?? 3000),
      ],
    });
    stages.forEach((stage, index) => {
      new CfnWebACLAssociation(this, `Stage${index}`, { resourceArn: stage.stageArn, webAclArn: acl.attrArn });
    });
    // WAF writes only to log groups whose name starts so.
    const log = new LogGroup(this, "Log", {
      logGroupName: `aws-waf-logs-${config.deployment}-api`,
      encryptionKey: logKey,
      retention: logRetention(config),
      removalPolicy: dataRemoval(config),
    });
    new CfnLoggingConfiguration(this, "Logging", {
      resourceArn: acl.attrArn,
      logDestinationConfigs: [Stack.of(this).formatArn({ service: "logs", resource: `log-group:${log.logGroupName}` })],
      redactedFields: [
        { singleHeader: { Name: "authorization" } },
        { singleHeader: { Name: "x-api-key" } },
        { queryString: {} },
      ],
    });
  }
}

const bodyRules = ["SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY"];

function visible(metricName: string): CfnWebACL.VisibilityConfigProperty {
  // Sampled requests show headers.
  return { metricName, cloudWatchMetricsEnabled: true, sampledRequestsEnabled: false };
}

function managed(priority: number, name: string, counted: readonly string[] = []): CfnWebACL.RuleProperty {
  return {
    name,
    priority,
    overrideAction: { none: {} },
    visibilityConfig: visible(name),
    statement: {
      managedRuleGroupStatement: {
        vendorName: "AWS",
        name,
        ...(counted.length > 0 && {
          ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
        }),
      },
    },
  };
}

function perAddress(priority: number, limit: number): CfnWebACL.RuleProperty {
  return {
    name: "PerAddress",
    priority,
    action: { block: {} },
    visibilityConfig: visible("PerAddress"),
    statement: { rateBasedStatement: { limit, aggregateKeyType: "IP" } },
  };
}
