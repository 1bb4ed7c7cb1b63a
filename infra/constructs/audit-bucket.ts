import { Duration } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  ObjectLockRetention,
  ObjectOwnership,
  StorageClass,
} from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge } from "../acknowledge.ts";
import type { DeploymentConfig } from "../config.ts";
import { dataRemoval } from "../removal.ts";

/**
 * Holds CloudTrail's records and audit exports. Where data is retained every object is locked: until its time is over nobody, root
 * included, can remove or overwrite it. Otherwise the bucket goes with its stack, contents and all.
 */
export class AuditBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { config, key }: { config: DeploymentConfig; key: IKey }) {
    super(scope, id);
    const kept = config.retainData;
    const shared = {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      removalPolicy: dataRemoval(config),
      autoDeleteObjects: !kept,
    };
    const accessLogs = new Bucket(this, "AccessLogs", {
      ...shared,
      // Server access logs cannot be delivered under a KMS key.
      encryption: BucketEncryption.S3_MANAGED,
      lifecycleRules: [
        { expiration: Duration.days(config.logRetentionDays), noncurrentVersionExpiration: Duration.days(1) },
      ],
    });
    this.bucket = new Bucket(this, "Records", {
      ...shared,
      encryption: BucketEncryption.KMS,
      encryptionKey: key,
      bucketKeyEnabled: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: "audit/",
      ...(kept && { objectLockEnabled: true }),
      ...(kept && { objectLockDefaultRetention: ObjectLockRetention.compliance(Duration.days(config.auditLockDays)) }),
      lifecycleRules: [
        { transitions: [{ storageClass: StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: Duration.days(90) }] },
      ],
    });
    const replication =
      "One region's records stay in that region; what protects them from loss is S3, from people the lock.";
    acknowledge(this.bucket, { "NIST.800.53.R5-S3BucketReplicationEnabled": replication });
    acknowledge(accessLogs, {
      "NIST.800.53.R5-S3DefaultEncryptionKMS":
        "S3 delivers server access logs only to buckets with its own encryption.",
      "NIST.800.53.R5-S3BucketReplicationEnabled": replication,
    });
  }
}
