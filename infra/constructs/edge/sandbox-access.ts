import { Stack } from "aws-cdk-lib";
import {
  ArnPrincipal,
  type IGrantable,
  type IPrincipal,
  type IRole,
  ManagedPolicy,
  PolicyStatement,
  Role,
} from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { PlatformState } from "../parts.ts";
import { accessBoundary } from "./access-boundary.ts";

export interface SandboxAccessProps {
  readonly config: DeploymentConfig;
  readonly state: PlatformState;
  /** Of the egress proxy: nobody else may act as a sandbox. */
  readonly proxyRole: IRole;
}

/** What the session of a sandbox is tagged with: for statements that tell projects apart (`\${aws:PrincipalTag/bulkhead:project}`). */
const sessionTags = ["bulkhead:sandbox", "bulkhead:project"] as const;

/**
 * The role that sandboxes call AWS with, each in a session of its own that may do no more than the sandbox's grants. It can do nothing
 * until the deployer says so: in the context key `sandboxAccess`, or by grants to this construct.
 *
 * @example
 * bucket.grantRead(platform.sandboxAccess);
 */
export class SandboxAccess extends Construct implements IGrantable {
  readonly role: Role;
  readonly grantPrincipal: IPrincipal;

  constructor(scope: Construct, id: string, { config, state, proxyRole }: SandboxAccessProps) {
    super(scope, id);
    const boundary = new ManagedPolicy(this, "Boundary", {
      description: `${config.deployment}: what no sandbox may do in AWS, whatever it is granted`,
      statements: accessBoundary(this, config, state),
    });
    acknowledge(boundary, boundaryReasons);
    this.role = new Role(this, "Role", {
      roleName: accessRoleNameOf(this, config),
      description: `${config.deployment}: at most what sandboxes may do in AWS`,
      assumedBy: new ArnPrincipal(proxyRole.roleArn)
        .withConditions({ "ForAllValues:StringEquals": { "aws:TagKeys": [...sessionTags] } })
        .withSessionTags(),
      permissionsBoundary: boundary,
    });
    this.grantPrincipal = this.role.grantPrincipal;
    for (const statement of config.sandboxAccess) this.allow(PolicyStatement.fromJson(statement));
  }

  /** Lets sandboxes do something, as far as their own grants say so too. */
  allow(statement: PolicyStatement): void {
    this.role.addToPrincipalPolicy(statement);
  }
}

/** By name: the proxy's role speaks of this role, and this role of the proxy's. With the region, since roles are the account's. */
function accessRoleNameOf(scope: Construct, { deployment }: Pick<DeploymentConfig, "deployment">): string {
  return `${deployment}-sandbox-access-${Stack.of(scope).region}`;
}

export function accessRoleArnOf(scope: Construct, config: Pick<DeploymentConfig, "deployment">): string {
  const { partition, account } = Stack.of(scope);
  return `arn:${partition}:iam::${account}:role/${accessRoleNameOf(scope, config)}`;
}

const boundaryReasons = {
  "AwsSolutions-IAM5[Action::*]": "A boundary gives nothing: it allows all and then takes away.",
  "AwsSolutions-IAM5[Resource::*]": "A boundary gives nothing: it allows all and then takes away.",
  "NIST.800.53.R5-IAMPolicyNoStatementsWithAdminAccess":
    "A boundary gives nothing; the role has only what the deployer adds.",
  "NIST.800.53.R5-IAMPolicyNoStatementsWithFullAccess":
    "A boundary gives nothing; the role has only what the deployer adds.",
};
