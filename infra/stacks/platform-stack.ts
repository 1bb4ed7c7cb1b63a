import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import { encryptedLogGroup } from "../constructs/log-group.ts";
import type { PlatformNetwork, PlatformState } from "../constructs/parts.ts";
import { ownProviderLogs } from "../constructs/provider-logs.ts";
import { SandboxPlatform } from "../constructs/sandbox-platform.ts";

export interface PlatformStackProps extends StackProps {
  readonly config: DeploymentConfig;
  readonly network: PlatformNetwork;
  readonly state: PlatformState;
}

/** Everything of a deployment that can be made again: functions, doors, ways in and out, watch. */
export class PlatformStack extends Stack {
  readonly platform: SandboxPlatform;

  constructor(scope: Construct, id: string, { config, network, state, ...stackProps }: PlatformStackProps) {
    super(scope, id, { ...stackProps, terminationProtection: config.deletionProtection });
    this.platform = new SandboxPlatform(this, "Sandboxes", { config, network, state });
    ownProviderLogs(this, encryptedLogGroup(this, "ProviderLog", { config, key: state.keys.data, keep: false }));
    this.output("ApiUrl", "Base URL for API keys", this.platform.keyApiUrl);
    this.output("IamApiUrl", "Base URL for AWS IAM (SigV4)", this.platform.iamApiUrl);
    this.output("GatewayUrl", "Where sandboxes are reached", this.platform.gatewayUrl);
    this.output(
      "SandboxAccessRoleArn",
      "Role that sandboxes with AWS grants act as",
      this.platform.sandboxAccess.role.roleArn,
    );
    this.output("FirstKeySecretArn", "Secret that holds the first API key", state.firstKeySecret.secretArn);
  }

  private output(id: string, description: string, value: string): void {
    new CfnOutput(this, id, { description, value });
  }
}
