import { CfnResource, CustomResourceProviderBase, Stack } from "aws-cdk-lib";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";

/**
 * Gives CDK's own custom-resource functions in a stack this log group and the right to write there, and nowhere else. Left alone they
 * carry a managed policy under which they make log groups that no stack owns: encrypted with no key of ours, there after `cdk destroy`.
 */
export function ownProviderLogs(scope: Construct, logGroup: LogGroup): void {
  for (const provider of Stack.of(scope).node.children) {
    if (!(provider instanceof CustomResourceProviderBase)) continue;
    provider.addToRolePolicy({
      Effect: "Allow",
      Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
      Resource: logGroup.logGroupArn,
    });
    const role = provider.node.tryFindChild("Role");
    const handler = provider.node.tryFindChild("Handler");
    if (!CfnResource.isCfnResource(role) || !CfnResource.isCfnResource(handler)) continue;
    role.addPropertyDeletionOverride("ManagedPolicyArns");
    handler.addPropertyOverride("LoggingConfig", { LogGroup: logGroup.logGroupName });
  }
}
