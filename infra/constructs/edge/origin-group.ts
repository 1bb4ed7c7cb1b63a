import { Stack } from "aws-cdk-lib";
import type { IVpc } from "aws-cdk-lib/aws-ec2";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { AwsCustomResource, AwsCustomResourcePolicy, PhysicalResourceId } from "aws-cdk-lib/custom-resources";
import { Construct } from "constructs";
import { acknowledge, inlinePolicy } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import { encryptedLogGroup } from "../log-group.ts";

export interface OriginGroupProps {
  readonly config: DeploymentConfig;
  readonly vpc: IVpc;
  readonly logKey: IKey;
}

const groupName = "CloudFront-VPCOrigins-Service-SG";

/**
 * The security group that CloudFront's own network interfaces in the VPC carry. CloudFront makes it with the first VPC origin, and
 * CloudFormation does not tell its id: it is asked for when the distribution is there (aws-cloudfront-origins' README).
 */
export class OriginGroup extends Construct {
  readonly id: string;

  constructor(scope: Construct, id: string, { config, vpc, logKey }: OriginGroupProps) {
    super(scope, id);
    const logGroup = encryptedLogGroup(this, "Log", { config, key: logKey, keep: false });
    const role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logGroup.grantWrite(role);
    const path = "SecurityGroups.0.GroupId";
    const call = {
      service: "EC2",
      action: "DescribeSecurityGroups",
      parameters: {
        Filters: [
          { Name: "vpc-id", Values: [vpc.vpcId] },
          { Name: "group-name", Values: [groupName] },
        ],
      },
      physicalResourceId: PhysicalResourceId.of(groupName),
      outputPaths: [path],
    };
    const lookup = new AwsCustomResource(this, "Lookup", {
      resourceType: "Custom::OriginGroup",
      onCreate: call,
      onUpdate: call,
      role,
      logGroup,
      installLatestAwsSdk: false,
      policy: AwsCustomResourcePolicy.fromStatements([
        new PolicyStatement({ actions: ["ec2:DescribeSecurityGroups"], resources: ["*"] }),
      ]),
    });
    acknowledge(this, {
      ...inlinePolicy,
      "AwsSolutions-IAM5[Resource::*]": "ec2:DescribeSecurityGroups knows no resource; it reads ids and rules.",
    });
    const handler = Stack.of(this).node.findChild(`AWS${AwsCustomResource.PROVIDER_FUNCTION_UUID.replaceAll("-", "")}`);
    const once = "Runs during a deployment only, called by CloudFormation, which waits for its answer.";
    acknowledge(handler, {
      "NIST.800.53.R5-LambdaConcurrency": once,
      "NIST.800.53.R5-LambdaDLQ": once,
      "NIST.800.53.R5-LambdaInsideVPC": "It talks to the EC2 API alone; neither VPC has a way there for functions.",
    });
    this.id = lookup.getResponseField(path);
  }
}
