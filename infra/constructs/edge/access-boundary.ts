import { Stack } from "aws-cdk-lib";
import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { tagNames } from "#aws/compute/settings.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { PlatformState } from "../parts.ts";

const allow = new PolicyStatement({ sid: "WhatIsLeft", actions: ["*"], resources: ["*"] });

/** Who may be what, and ends that cannot be undone. */
const neverActions = [
  "account:*",
  "iam:*",
  "organizations:*",
  "sso:*",
  "sts:*",
  "kms:CreateGrant",
  "kms:DeleteImportedKeyMaterial",
  "kms:DisableKey",
  "kms:PutKeyPolicy",
  "kms:ScheduleKeyDeletion",
];

/**
 * What no sandbox may do in AWS, whatever role and grants say: change who may do what, touch the platform itself, or reach into
 * accounts that were not named, which would be a way out for data.
 */
export function accessBoundary(scope: Construct, config: DeploymentConfig, state: PlatformState): PolicyStatement[] {
  const deny = (
    sid: string,
    statement: Pick<PolicyStatementProps, "actions" | "notActions" | "resources" | "conditions">,
  ) => new PolicyStatement({ sid, effect: Effect.DENY, resources: ["*"], ...statement });
  const { deployment } = config;
  const tagged = (tag: string) => ({ StringEquals: { [`aws:ResourceTag/${tag}`]: deployment } });
  return [
    allow,
    deny("NeverForSandboxes", { actions: neverActions }),
    deny("NotThePlatform", { actions: ["*"], resources: own(scope, config, state) }),
    deny("NotWhatIsTaggedAsThePlatforms", { actions: ["*"], conditions: tagged("bulkhead:platform") }),
    deny("NotWhatIsTaggedAsTheDeployments", { actions: ["*"], conditions: tagged(tagNames.deployment) }),
    deny("NotInOtherAccounts", {
      // The models belong to AWS or their makers.
      notActions: ["bedrock:*"],
      conditions: {
        StringNotEquals: { "aws:ResourceAccount": [Stack.of(scope).account, ...config.sandboxAccessAccounts] },
        // Not every request says whose the resource is.
        Null: { "aws:ResourceAccount": "false" },
      },
    }),
  ];
}

type PolicyStatementProps = NonNullable<ConstructorParameters<typeof PolicyStatement>[0]>;

/** By name, since not every service looks at tags. */
function own(scope: Construct, { deployment }: DeploymentConfig, state: PlatformState): string[] {
  const { partition, region, account } = Stack.of(scope);
  const arn = (service: string, resource: string) => `arn:${partition}:${service}:${region}:${account}:${resource}`;
  const { keys, table, fileSystem, auditBucket, imageRepository } = state;
  return [
    ...[keys.data, keys.signing, keys.audit, keys.evidence].map((key) => key.keyArn),
    table.tableArn,
    `${table.tableArn}/*`,
    fileSystem.fileSystemArn,
    auditBucket.bucketArn,
    auditBucket.arnForObjects("*"),
    imageRepository.repositoryArn,
    state.firstKeySecret.secretArn,
    arn("secretsmanager", `secret:${deployment}/*`),
    arn("lambda", `function:${deployment}-*`),
    arn("ecs", `cluster/${deployment}-*`),
    arn("ecs", `task/${deployment}-*`),
  ];
}
