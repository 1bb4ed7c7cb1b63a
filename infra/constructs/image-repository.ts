import { Duration } from "aws-cdk-lib";
import { Repository, RepositoryEncryption, TagMutability, TagStatus } from "aws-cdk-lib/aws-ecr";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import { dataRemoval } from "../removal.ts";

/** Images of templates and of the edge: a tag that was pushed is never moved, so a tag names one image. */
export class ImageRepository extends Construct {
  readonly repository: Repository;

  constructor(scope: Construct, id: string, { config, key }: { config: DeploymentConfig; key: IKey }) {
    super(scope, id);
    this.repository = new Repository(this, "Images", {
      imageTagMutability: TagMutability.IMMUTABLE,
      imageScanOnPush: true,
      encryption: RepositoryEncryption.KMS,
      encryptionKey: key,
      // Tagged ones stay: a running deployment names them.
      lifecycleRules: [{ tagStatus: TagStatus.UNTAGGED, maxImageAge: Duration.days(14) }],
      removalPolicy: dataRemoval(config),
      emptyOnDelete: !config.retainData,
    });
  }
}
