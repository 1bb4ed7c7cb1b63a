import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { ISecurityGroup, ISubnet, IVpc } from "aws-cdk-lib/aws-ec2";
import type { IRepository } from "aws-cdk-lib/aws-ecr";
import type { IAccessPoint, IFileSystem } from "aws-cdk-lib/aws-efs";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";

/** What the constructs of a deployment hand to each other. */

export interface PlatformKeys {
  /** Table, file system, logs, secrets, sealed env values. Rotates. */
  readonly data: IKey;
  /** ECC_NIST_P256, signs sandbox tokens. KMS rotates no asymmetric keys. */
  readonly signing: IKey;
  /** CloudTrail and its bucket. Rotates. */
  readonly audit: IKey;
  /** ECC_NIST_P256, signs checkpoints of the audit record and evidence. */
  readonly evidence: IKey;
}

export interface PlatformNetwork {
  /** No internet gateway, no NAT, no route to either. */
  readonly sandboxVpc: IVpc;
  readonly sandboxSubnets: readonly ISubnet[];
  readonly sandboxCidr: string;
  /** Holds gateway and egress proxy; peered with the sandbox VPC. */
  readonly edgeVpc: IVpc;
  readonly edgeSubnets: readonly ISubnet[];
  readonly edgeCidr: string;
  /** Groups of things that instances' own groups name as source or destination. */
  readonly securityGroups: {
    readonly gateway: ISecurityGroup;
    readonly bridge: ISecurityGroup;
    readonly proxy: ISecurityGroup;
    readonly fileSystem: ISecurityGroup;
    readonly endpoints: ISecurityGroup;
    readonly janitor: ISecurityGroup;
  };
  readonly s3PrefixListId: string;
}

export interface PlatformState {
  readonly keys: PlatformKeys;
  /** With a stream of new and old images. */
  readonly table: ITable;
  readonly fileSystem: IFileSystem;
  /** Root of the file system, for the janitor alone. */
  readonly janitorAccessPoint: IAccessPoint;
  /**
   * Name that the janitor's role has to carry: the file system lets nobody else be root. The role also needs
   * `elasticfilesystem:ClientRootAccess` on the file system, which `FileSystem.fromEfsAccessPoint` does not grant.
   */
  readonly janitorRoleName: string;
  /** Receives the first API key; made empty. */
  readonly firstKeySecret: ISecret;
  /** Locked: CloudTrail and audit exports. */
  readonly auditBucket: IBucket;
  readonly imageRepository: IRepository;
}

export interface PlatformImages {
  /** Image URI by template name. */
  readonly templates: Readonly<Record<string, string>>;
  /** Image URI of gateway and egress proxy (one image, two commands). */
  readonly edge: string;
}

export interface PlatformEdge {
  /** https://…, without a trailing slash. */
  readonly gatewayUrl: string;
  /** Domain of `<port>-<id>.<domain>`, null without one. */
  readonly domain: string | null;
  /** As seen from the sandbox VPC. */
  readonly egressProxy: { readonly host: string; readonly port: number };
  readonly logGroups: { readonly gateway: ILogGroup; readonly egressProxy: ILogGroup };
}

export const functionNames = [
  "api-read",
  "api-lifecycle",
  "authorizer",
  "task-events",
  "sweeper",
  "pool",
  "bridge",
  "janitor",
  "bootstrap",
  "chainer",
] as const;
export type FunctionName = (typeof functionNames)[number];
