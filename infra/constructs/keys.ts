import { Duration, Stack } from "aws-cdk-lib";
import { AnyPrincipal, PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key, KeySpec, KeyUsage } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import { dataRemoval } from "../removal.ts";
import type { PlatformKeys } from "./parts.ts";

/** The keys of a deployment: one for data, one that signs, one for audit, so that who may read what is said key by key. */
export class Keys extends Construct implements PlatformKeys {
  readonly data: Key;
  readonly signing: Key;
  readonly audit: Key;
  readonly evidence: Key;

  constructor(scope: Construct, id: string, config: DeploymentConfig) {
    super(scope, id);
    this.data = rotatingKey(this, "Data", config, "table, files, images, secrets, logs and sealed env values");
    this.audit = rotatingKey(this, "Audit", config, "CloudTrail and its bucket");
    this.signing = signingKey(this, "Signing", config, "signs sandbox tokens");
    this.evidence = signingKey(this, "Evidence", config, "signs checkpoints of the audit record and evidence");
    letLogsUse(this.data);
    letLogsUse(this.audit);
    letAlarmsUse(this.data);
    letSecretsUse(this.data);
  }
}

/** KMS rotates no asymmetric keys. */
function signingKey(scope: Construct, id: string, config: DeploymentConfig, signs: string): Key {
  return new Key(scope, id, {
    description: `${config.deployment}: ${signs}`,
    keySpec: KeySpec.ECC_NIST_P256,
    keyUsage: KeyUsage.SIGN_VERIFY,
    removalPolicy: dataRemoval(config),
    pendingWindow: pendingWindow(config),
  });
}

export function rotatingKey(scope: Construct, id: string, config: DeploymentConfig, holds: string): Key {
  return new Key(scope, id, {
    description: `${config.deployment}: ${holds}`,
    enableKeyRotation: true,
    removalPolicy: dataRemoval(config),
    pendingWindow: pendingWindow(config),
  });
}

/** How long a key that goes with its stack can still be called back: the least that KMS takes, unless data is to be kept. */
function pendingWindow(config: DeploymentConfig): Duration {
  return Duration.days(config.retainData ? 30 : 7);
}

/** CloudWatch Logs encrypts as itself: it may use the key for log groups of this account and region, for nothing else. */
export function letLogsUse(key: Key): void {
  const stack = Stack.of(key);
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: "LogGroupsOfThisAccount",
      principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
      actions: [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:GenerateDataKey",
        "kms:DescribeKey",
      ],
      resources: ["*"],
      conditions: {
        ArnLike: {
          "kms:EncryptionContext:aws:logs:arn": `arn:${stack.partition}:logs:${stack.region}:${stack.account}:log-group:*`,
        },
      },
    }),
  );
}

/** An alarm that publishes to an encrypted topic needs the topic's key. */
function letAlarmsUse(key: Key): void {
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: "AlarmsOfThisAccount",
      principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
      actions: ["kms:Decrypt", "kms:GenerateDataKey"],
      resources: ["*"],
      conditions: { StringEquals: { "aws:SourceAccount": Stack.of(key).account } },
    }),
  );
}

/** Whoever may use a secret may use its key, through Secrets Manager only: what AWS's own key for secrets says. */
function letSecretsUse(key: Key): void {
  const stack = Stack.of(key);
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: "SecretsOfThisAccount",
      principals: [new AnyPrincipal()],
      actions: [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:GenerateDataKey",
        "kms:DescribeKey",
      ],
      resources: ["*"],
      conditions: {
        StringEquals: {
          "kms:CallerAccount": stack.account,
          "kms:ViaService": `secretsmanager.${stack.region}.amazonaws.com`,
        },
      },
    }),
  );
}
