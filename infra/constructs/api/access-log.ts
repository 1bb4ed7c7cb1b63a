import { Stack } from "aws-cdk-lib";
import { AccessLogFormat, CfnAccount } from "aws-cdk-lib/aws-apigateway";
import { PolicyDocument, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import { policyInRole, type Right, statementOf, wildcardReasons } from "../functions/right.ts";

/**
 * One line of JSON per request: who, what, how it came out. The route and not the path, no query, no headers, no bodies: nothing that
 * could be a secret of the caller.
 */
export const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
    requestId: "$context.requestId",
    at: "$context.requestTimeEpoch",
    ip: "$context.identity.sourceIp",
    method: "$context.httpMethod",
    stage: "$context.stage",
    route: "$context.resourcePath",
    status: "$context.status",
    bytes: "$context.responseLength",
    latencyMs: "$context.responseLatency",
    integrationMs: "$context.integrationLatency",
    refused: "$context.error.responseType",
    project: "$context.authorizer.projectId",
    key: "$context.authorizer.keyId",
    role: "$context.identity.userArn",
  }),
);

/**
 * The account's role that API Gateway writes logs with, one per account and region: without it no stage can have an access log.
 * The rights are those that API Gateway checks for when it takes the role (apigateway/latest/developerguide/set-up-logging.html).
 */
export class ApiGatewayAccount extends Construct {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    const right: Right = {
      actions: [
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "logs:GetLogEvents",
        "logs:FilterLogEvents",
      ],
      resources: ["*"],
      because:
        "API Gateway takes a role for the whole account, and refuses one without these rights on all log groups.",
    };
    const role = new Role(this, "Role", {
      description: "API Gateway writes access logs",
      assumedBy: new ServicePrincipal("apigateway.amazonaws.com"),
      inlinePolicies: { Logs: new PolicyDocument({ statements: [statementOf(right)] }) },
    });
    acknowledge(role, { ...wildcardReasons(Stack.of(this), [right]), ...policyInRole });
    new CfnAccount(this, "Account", { cloudWatchRoleArn: role.roleArn }).node.addDependency(role);
  }
}
