import { Stack } from "aws-cdk-lib";
import type { ISecurityGroup, ISubnet, IVpc } from "aws-cdk-lib/aws-ec2";
import {
  type AccessPoint,
  FileSystem,
  LifecyclePolicy,
  OutOfInfrequentAccessPolicy,
  PerformanceMode,
  ThroughputMode,
} from "aws-cdk-lib/aws-efs";
import { AnyPrincipal, Effect, PolicyDocument, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { acknowledge } from "../acknowledge.ts";
import type { DeploymentConfig } from "../config.ts";
import { dataRemoval } from "../removal.ts";

export interface SandboxFileSystemProps {
  readonly config: DeploymentConfig;
  readonly key: IKey;
  readonly vpc: IVpc;
  readonly subnets: readonly ISubnet[];
  readonly securityGroup: ISecurityGroup;
}

/** Files of sandboxes. Every instance has an access point of its own: own directory, own uid. */
export class SandboxFileSystem extends Construct {
  readonly fileSystem: FileSystem;
  readonly janitorAccessPoint: AccessPoint;
  readonly janitorRoleName: string;

  constructor(scope: Construct, id: string, props: SandboxFileSystemProps) {
    super(scope, id);
    const { config, key, vpc, securityGroup } = props;
    // By name: the role is made in a stack that depends on this one. With the region, since roles are the account's.
    this.janitorRoleName = `${config.deployment}-janitor-${Stack.of(this).region}`;
    this.fileSystem = new FileSystem(this, "Files", {
      vpc,
      vpcSubnets: { subnets: [...props.subnets] },
      securityGroup,
      encrypted: true,
      kmsKey: key,
      performanceMode: PerformanceMode.GENERAL_PURPOSE,
      throughputMode: ThroughputMode.ELASTIC,
      lifecyclePolicy: LifecyclePolicy.AFTER_30_DAYS,
      outOfInfrequentAccessPolicy: OutOfInfrequentAccessPolicy.AFTER_1_ACCESS,
      enableAutomaticBackups: config.retainData,
      // The policy says who is let in without IAM, and how.
      allowAnonymousAccess: true,
      fileSystemPolicy: this.policy(),
      removalPolicy: dataRemoval(config),
    });
    this.janitorAccessPoint = this.fileSystem.addAccessPoint("Janitor", {
      path: "/",
      posixUser: { uid: "0", gid: "0" },
    });
    acknowledge(this.fileSystem, {
      "NIST.800.53.R5-EFSInBackupPlan":
        "Files live as long as their sandbox, a day by default. Where data is retained EFS's own automatic backups are on.",
    });
  }

  /**
   * Instances have no task role, so they come without IAM; what holds them is this policy. A sandbox that speaks NFS itself (aws-facts §3)
   * is refused without TLS, without an access point, and as root. Naming the janitor's access point, whose user is root, makes it
   * nobody: EFS squashes root for whoever lacks ClientRootAccess (efs/latest/ug/enforce-identity-access-points.html), and every
   * instance's directory is closed to all but its own uid.
   */
  private policy(): PolicyDocument {
    const { account, partition } = Stack.of(this);
    const everybody = [new AnyPrincipal()];
    const mount = "elasticfilesystem:ClientMount";
    const write = "elasticfilesystem:ClientWrite";
    const root = "elasticfilesystem:ClientRootAccess";
    const deny = (sid: string, actions: string[], conditions: Record<string, Record<string, string>>) =>
      new PolicyStatement({ sid, effect: Effect.DENY, principals: everybody, actions, resources: ["*"], conditions });
    const janitor = `arn:${partition}:iam::${account}:role/${this.janitorRoleName}`;
    return new PolicyDocument({
      statements: [
        new PolicyStatement({
          sid: "MountThroughAccessPoint",
          principals: everybody,
          actions: [mount, write],
          resources: ["*"],
          conditions: {
            Bool: { "elasticfilesystem:AccessedViaMountTarget": "true" },
            Null: { "elasticfilesystem:AccessPointArn": "false" },
          },
        }),
        deny("OnlyWithTls", [mount, write, root], { Bool: { "aws:SecureTransport": "false" } }),
        deny("OnlyThroughAccessPoint", [mount, write, root], { Null: { "elasticfilesystem:AccessPointArn": "true" } }),
        // Holds for anonymous clients too: a negated condition is true of a key that is missing.
        deny("NobodyButTheJanitorIsRoot", [root], { ArnNotLike: { "aws:PrincipalArn": janitor } }),
      ],
    });
  }
}
