import { Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { AwsCustomResource, AwsCustomResourcePolicy, PhysicalResourceId } from "aws-cdk-lib/custom-resources";
import { Construct } from "constructs";
import { acknowledge, inlinePolicy } from "../acknowledge.ts";

/**
 * Id of AWS's prefix list of S3 in the region: instances' groups name it as the destination of image layers, the only way to say "S3
 * and nothing else" in a security group.
 *
 * Asked for at deploy time by a custom resource. No attribute of the gateway endpoint tells it; CDK's lookup needs credentials at
 * synth; and AWS documents no table of ids by region, so a mapping would be a guess that fails only when an instance is to start.
 */
export class S3PrefixList extends Construct {
  readonly id: string;

  constructor(scope: Construct, id: string, { logGroup }: { logGroup: LogGroup }) {
    super(scope, id);
    const role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logGroup.grantWrite(role);
    const call = {
      service: "EC2",
      action: "DescribeManagedPrefixLists",
      parameters: { Filters: [{ Name: "prefix-list-name", Values: [`com.amazonaws.${Stack.of(this).region}.s3`] }] },
      physicalResourceId: PhysicalResourceId.of("s3-prefix-list"),
      outputPaths: ["PrefixLists.0.PrefixListId"],
    };
    const lookup = new AwsCustomResource(this, "Lookup", {
      resourceType: "Custom::S3PrefixList",
      onCreate: call,
      onUpdate: call,
      role,
      logGroup,
      installLatestAwsSdk: false,
      policy: AwsCustomResourcePolicy.fromStatements([
        new PolicyStatement({ actions: ["ec2:DescribeManagedPrefixLists"], resources: ["*"] }),
      ]),
    });
    acknowledge(this, {
      ...inlinePolicy,
      "AwsSolutions-IAM5[Resource::*]": "ec2:DescribeManagedPrefixLists knows no resource; it reads ids and names.",
    });
    const handler = Stack.of(this).node.findChild(`AWS${AwsCustomResource.PROVIDER_FUNCTION_UUID.replaceAll("-", "")}`);
    const once =
      "Runs during a deployment only, called by CloudFormation, which waits for its answer and reports its failure.";
    acknowledge(handler, {
      "NIST.800.53.R5-LambdaConcurrency": once,
      "NIST.800.53.R5-LambdaDLQ": once,
      "NIST.800.53.R5-LambdaInsideVPC": "It talks to the EC2 API alone; neither VPC has a way there for functions.",
    });
    this.id = lookup.getResponseField("PrefixLists.0.PrefixListId");
  }
}
