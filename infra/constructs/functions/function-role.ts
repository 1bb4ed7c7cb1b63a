import { ArnFormat, Stack } from "aws-cdk-lib";
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import { policyInRole, type Right, statementOf, wildcardReasons } from "./right.ts";

export interface FunctionRoleProps {
  readonly functionName: string;
  readonly logGroup: ILogGroup;
  /** Everything the function's code may do in AWS. */
  readonly rights: readonly Right[];
  /** Lambda puts the function into a VPC. */
  readonly inVpc: boolean;
  /** X-Ray receives its traces. */
  readonly traced: boolean;
  /** @default - generated */
  readonly roleName?: string;
}

/**
 * A function's role with all it may do in it, and nothing that is added behind: it is handed on without the ability to grow, so that
 * what stands here is the whole truth. No AWS managed policies: they allow every log group.
 */
export function functionRole(scope: Construct, id: string, props: FunctionRoleProps): Role {
  const { functionName, logGroup, inVpc, traced, roleName } = props;
  const rights = [
    writeLogs(logGroup),
    ...props.rights,
    ...(traced ? [sendTraces] : []),
    ...(inVpc ? [interfaces] : []),
  ];
  const statements = rights.map(statementOf);
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
    description: `Role of ${functionName}`,
    ...(roleName !== undefined && { roleName }),
    inlinePolicies: {
      Rights: new PolicyDocument({
        statements: inVpc ? [...statements, notForItsCode(scope, functionName)] : statements,
      }),
    },
  });
  acknowledge(role, { ...wildcardReasons(Stack.of(scope), rights), ...policyInRole });
  return role;
}

const writeLogs = (logGroup: ILogGroup): Right => ({
  actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
  resources: [logGroup.logGroupArn],
});

const sendTraces: Right = {
  actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
  resources: ["*"],
  because: "X-Ray knows no resources for these actions.",
};

/** What the Lambda service does with the role to connect the function to its VPC (lambda/latest/dg/configuration-vpc.html). */
const interfaceActions = [
  "ec2:CreateNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:DeleteNetworkInterface",
  "ec2:AssignPrivateIpAddresses",
  "ec2:UnassignPrivateIpAddresses",
];

const interfaces: Right = {
  actions: interfaceActions,
  resources: ["*"],
  because:
    "The Lambda service demands these on all resources to connect a function to a VPC; the function's own code is denied them.",
};

/** Calls made by the function's code carry its ARN as `lambda:SourceFunctionArn`, those of the Lambda service do not. */
function notForItsCode(scope: Construct, functionName: string): PolicyStatement {
  return new PolicyStatement({
    sid: "NotForItsCode",
    effect: Effect.DENY,
    actions: [...interfaceActions, "ec2:DetachNetworkInterface"],
    resources: ["*"],
    conditions: { ArnEquals: { "lambda:SourceFunctionArn": functionArn(scope, functionName) } },
  });
}

/** Known from the name, so that a role can speak of a function that does not exist yet. */
export function functionArn(scope: Construct, functionName: string): string {
  return Stack.of(scope).formatArn({
    service: "lambda",
    resource: "function",
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    resourceName: functionName,
  });
}

/** Calls to other functions of the platform. */
export function invokeRights(scope: Construct, functionNames: readonly string[]): Right[] {
  const resources = functionNames.map((name) => functionArn(scope, name));
  return [{ actions: ["lambda:InvokeFunction"], resources }];
}
