import { Stack } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { tagNames } from "#aws/compute/settings.ts";
import { authorityContext } from "#aws/egress-authority.ts";
import { contextKeys } from "#core/envelope.ts";
import type { Right } from "./right.ts";
import { keyThrough } from "./table-rights.ts";

/** Names of secrets that sandboxes may be given start with this; then follows the project. */
export function secretPrefixOf(deployment: string): string {
  return `${deployment}/`;
}

/** Sandbox and project bind every sealed value (SealContext): a data key of another context is neither made nor opened. */
const sealContext = {
  "ForAllValues:StringEquals": { "kms:EncryptionContextKeys": contextKeys },
  Null: { "kms:EncryptionContext:sandboxId": "false", "kms:EncryptionContext:projectId": "false" },
} as const;

export function sealRights(key: IKey): Right[] {
  return [{ actions: ["kms:GenerateDataKey"], resources: [key.keyArn], conditions: sealContext }];
}

export function openRights(key: IKey): Right[] {
  return [{ actions: ["kms:Decrypt"], resources: [key.keyArn], conditions: sealContext }];
}

export function signRights(key: IKey): Right[] {
  const conditions = { StringEquals: { "kms:SigningAlgorithm": "ECDSA_SHA_256" } };
  return [{ actions: ["kms:Sign"], resources: [key.keyArn], conditions }];
}

/** Signs where the audit record stands, and says with which key. */
export function evidenceRights(key: IKey): Right[] {
  return [...signRights(key), { actions: ["kms:GetPublicKey"], resources: [key.keyArn] }];
}

/** Secrets that carry the deployment's tag below its name: whoever made them gave them to it. */
export function secretRights(key: IKey, deployment: string): Right[] {
  const { partition, region, account } = Stack.of(key);
  return [
    {
      actions: ["secretsmanager:GetSecretValue"],
      resources: [`arn:${partition}:secretsmanager:${region}:${account}:secret:${secretPrefixOf(deployment)}*`],
      conditions: { StringEquals: { [`aws:ResourceTag/${tagNames.deployment}`]: deployment } },
      because: "Projects' secrets are made by their owners, later; name and tag say which are meant.",
    },
    {
      actions: ["secretsmanager:BatchGetSecretValue"],
      resources: ["*"],
      because: "The action knows no resource; each value also needs GetSecretValue, which is limited by name and tag.",
    },
    keyThrough(key, "secretsmanager", ["kms:Decrypt"]),
  ];
}

/** Seals the egress CA's key, or opens it: nothing else under the data key has its context. */
export function authorityRights(key: IKey, deployment: string, action: "kms:Encrypt" | "kms:Decrypt"): Right[] {
  const context = Object.entries(authorityContext(deployment));
  const StringEquals = Object.fromEntries(context.map(([name, value]) => [`kms:EncryptionContext:${name}`, value]));
  return [{ actions: [action], resources: [key.keyArn], conditions: { StringEquals } }];
}

/** Fills one secret, and sees whether it is filled. */
export function fillSecretRights(key: IKey, secret: ISecret): Right[] {
  return [
    {
      actions: ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"],
      resources: [secret.secretArn],
    },
    keyThrough(key, "secretsmanager", ["kms:Decrypt", "kms:GenerateDataKey"]),
  ];
}

/** What Lambda does with a function's role when the function failed for good. */
export function deadLetterRights(key: IKey, queue: IQueue): Right[] {
  return [
    { actions: ["sqs:SendMessage"], resources: [queue.queueArn] },
    keyThrough(key, "sqs", ["kms:Decrypt", "kms:GenerateDataKey"]),
  ];
}
