import { Stack } from "aws-cdk-lib";
import { PolicyDocument, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import { policyInRole, type Right, statementOf, wildcardReasons } from "../functions/right.ts";
import { pullRights } from "../instance-cluster.ts";

/** A role of ECS tasks of this account with all it may do in it. */
export function taskRole(scope: Construct, id: string, description: string, rights: readonly Right[]): Role {
  const { partition, account, region } = Stack.of(scope);
  const role = new Role(scope, id, {
    description,
    assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com", {
      conditions: {
        StringEquals: { "aws:SourceAccount": account },
        ArnLike: { "aws:SourceArn": `arn:${partition}:ecs:${region}:${account}:*` },
      },
    }),
    inlinePolicies: { Rights: new PolicyDocument({ statements: rights.map(statementOf) }) },
  });
  acknowledge(role, { ...wildcardReasons(Stack.of(scope), rights), ...policyInRole });
  return role;
}

export interface StartProps {
  readonly repositoryArn: string;
  /** By digest, when the configuration names one. */
  readonly image: string | undefined;
  readonly logGroup: ILogGroup;
}

/** What Fargate needs to start a task: its image and its log. It never reaches the container. */
export function executionRole(scope: Construct, id: string, description: string, props: StartProps): Role {
  const { repositoryArn, image, logGroup } = props;
  return taskRole(scope, id, description, [
    ...pullRights(scope, repositoryArn, image === undefined ? [] : [image]),
    { actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [logGroup.logGroupArn] },
  ]);
}
