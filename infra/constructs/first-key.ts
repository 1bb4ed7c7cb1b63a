import type { IKey } from "aws-cdk-lib/aws-kms";
import { CfnSecret, type ISecret, Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";
import { acknowledge } from "../acknowledge.ts";
import type { DeploymentConfig } from "../config.ts";
import { dataRemoval } from "../removal.ts";

/**
 * Where the deployment's first API key will be found. Made empty: the bootstrap function writes the key, so that CloudFormation never
 * holds it. Its name is generated, since a deleted secret blocks its name for weeks.
 */
export class FirstKey extends Construct {
  /**
   * By reference: CDK answers a grant on a secret it owns with a statement in the key's policy, which would make this stack depend on
   * the grantee's. The key already lets in whoever may use the secret (keys.ts).
   */
  readonly secret: ISecret;

  constructor(scope: Construct, id: string, { config, key }: { config: DeploymentConfig; key: IKey }) {
    super(scope, id);
    const secret = new Secret(this, "Secret", {
      description: `${config.deployment}: first API key, to make others with`,
      encryptionKey: key,
      removalPolicy: dataRemoval(config),
    });
    const resource = secret.node.defaultChild;
    if (!(resource instanceof CfnSecret)) throw new Error("no AWS::SecretsManager::Secret behind the construct");
    resource.generateSecretString = undefined;
    const rotation =
      "Keys rotate through the API, with overlap and an alarm at 90 days; only the hash is stored, so Secrets Manager cannot rotate this one.";
    acknowledge(secret, {
      "AwsSolutions-SMG4": rotation,
      "NIST.800.53.R5-SecretsManagerRotationEnabled": rotation,
    });
    this.secret = Secret.fromSecretCompleteArn(this, "Reference", secret.secretArn);
  }
}
