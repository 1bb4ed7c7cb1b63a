import { Stack, type StackProps } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { IRepository } from "aws-cdk-lib/aws-ecr";
import type { IAccessPoint, IFileSystem } from "aws-cdk-lib/aws-efs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import { AuditBucket } from "../constructs/audit-bucket.ts";
import { AuditTrail } from "../constructs/audit-trail.ts";
import { FirstKey } from "../constructs/first-key.ts";
import { ImageRepository } from "../constructs/image-repository.ts";
import { Keys } from "../constructs/keys.ts";
import { encryptedLogGroup } from "../constructs/log-group.ts";
import type { PlatformKeys, PlatformNetwork, PlatformState } from "../constructs/parts.ts";
import { ownProviderLogs } from "../constructs/provider-logs.ts";
import { SandboxFileSystem } from "../constructs/sandbox-file-system.ts";
import { StateTable } from "../constructs/state-table.ts";

export interface StateStackProps extends StackProps {
  readonly config: DeploymentConfig;
  readonly network: PlatformNetwork;
}

/** What a deployment must not lose: keys, table, files, images, the first API key, and the record of what was done. */
export class StateStack extends Stack implements PlatformState {
  readonly keys: PlatformKeys;
  readonly table: ITable;
  readonly fileSystem: IFileSystem;
  readonly janitorAccessPoint: IAccessPoint;
  readonly janitorRoleName: string;
  readonly firstKeySecret: ISecret;
  readonly auditBucket: IBucket;
  readonly imageRepository: IRepository;

  constructor(scope: Construct, id: string, { config, network, ...stackProps }: StateStackProps) {
    super(scope, id, { ...stackProps, terminationProtection: config.deletionProtection });
    const keys = new Keys(this, "Keys", config);
    const { table } = new StateTable(this, "State", { config, key: keys.data });
    const files = new SandboxFileSystem(this, "SandboxFiles", {
      config,
      key: keys.data,
      vpc: network.sandboxVpc,
      subnets: network.sandboxSubnets,
      securityGroup: network.securityGroups.fileSystem,
    });
    const { bucket } = new AuditBucket(this, "Audit", { config, key: keys.audit });
    new AuditTrail(this, "AuditTrail", { config, key: keys.audit, bucket, table });
    this.keys = keys;
    this.table = table;
    this.fileSystem = files.fileSystem;
    this.janitorAccessPoint = files.janitorAccessPoint;
    this.janitorRoleName = files.janitorRoleName;
    this.firstKeySecret = new FirstKey(this, "FirstKey", { config, key: keys.data }).secret;
    this.auditBucket = bucket;
    this.imageRepository = new ImageRepository(this, "ImageRepository", { config, key: keys.data }).repository;
    ownProviderLogs(this, encryptedLogGroup(this, "ProviderLog", { config, key: keys.data, keep: false }));
  }
}
