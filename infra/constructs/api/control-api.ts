import { Duration } from "aws-cdk-lib";
import { CfnAuthorizer, RequestAuthorizer } from "aws-cdk-lib/aws-apigateway";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../../config.ts";
import { encryptedLogGroup } from "../log-group.ts";
import { ApiGatewayAccount } from "./access-log.ts";
import { Door } from "./door.ts";
import { Firewall } from "./firewall.ts";
import type { StageProps } from "./stages.ts";

export interface ControlApiProps extends Omit<StageProps, "accessLog" | "firewall"> {
  readonly config: DeploymentConfig;
  readonly functions: Readonly<Record<"api-read" | "api-lifecycle" | "authorizer", IFunction>>;
  readonly logKey: IKey;
}

/** The control plane's two doors: one for API keys, one for AWS IAM. Behind both stand the same routes and functions. */
export class ControlApi extends Construct {
  readonly keyDoor: Door;
  readonly iamDoor: Door;
  readonly accessLog: LogGroup;

  constructor(scope: Construct, id: string, props: ControlApiProps) {
    super(scope, id);
    const { config, functions, logKey } = props;
    this.accessLog = encryptedLogGroup(this, "AccessLog", { config, key: logKey });
    const common = {
      ...props,
      accessLog: this.accessLog,
      firewall: config.waf,
      account: new ApiGatewayAccount(this, "ApiGateway"),
      functions: { read: functions["api-read"], lifecycle: functions["api-lifecycle"] },
    };
    this.keyDoor = new Door(this, "KeyDoor", {
      ...common,
      kind: "key",
      authorizer: keyAuthorizer(this, functions.authorizer),
    });
    this.iamDoor = new Door(this, "IamDoor", { ...common, kind: "iam" });
    if (config.waf) {
      new Firewall(this, "Firewall", { config, logKey, stages: [...this.keyDoor.stages, ...this.iamDoor.stages] });
    }
  }
}

/** Asked for each request, whatever it carries: a revoked key ends within seconds, and every refusal is ours to word. */
function keyAuthorizer(scope: Construct, handler: IFunction): RequestAuthorizer {
  const authorizer = new RequestAuthorizer(scope, "Authorizer", {
    handler,
    resultsCacheTtl: Duration.seconds(0),
    identitySources: [],
  });
  const resource = authorizer.node.findAll().find((child) => child instanceof CfnAuthorizer);
  if (resource === undefined) throw new Error("no AWS::ApiGateway::Authorizer behind the construct");
  // None is what is meant; CDK writes an empty text.
  resource.addPropertyDeletionOverride("IdentitySource");
  return authorizer;
}
