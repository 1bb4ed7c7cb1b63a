import { fileURLToPath } from "node:url";
import type { Duration } from "aws-cdk-lib";
import type { ISecurityGroup, ISubnet, IVpc } from "aws-cdk-lib/aws-ec2";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Architecture, CfnFunction, type IFunction, Runtime, Tracing } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { z } from "zod";
import { acknowledge } from "../../acknowledge.ts";
import { functionBundling } from "../../bundling.ts";
import type { DeploymentConfig } from "../../config.ts";
import { encryptedLogGroup } from "../log-group.ts";
import type { FunctionName } from "../parts.ts";
import { functionRole } from "./function-role.ts";
import type { Right } from "./right.ts";

const repository = new URL("../../../", import.meta.url);
const pathOf = (path: string) => fileURLToPath(new URL(path, repository));

type EnvSchema = z.ZodObject;

export interface PlatformFunctionProps<S extends EnvSchema> {
  readonly config: DeploymentConfig;
  readonly name: FunctionName;
  readonly description: string;
  /** What the handler reads its environment with. */
  readonly schema: S;
  /** A variable that the schema asks for and that is missing here does not compile. Lambda itself sets AWS_REGION. */
  readonly environment: Omit<z.input<S>, "AWS_REGION">;
  /** Everything its code may do in AWS. Writing its own log is added. */
  readonly rights: readonly Right[];
  /** Encrypts its log. */
  readonly logKey: IKey;
  readonly timeout: Duration;
  /** CPU comes with memory: 1769 MiB is one vCPU. @default 512 */
  readonly memoryMiB?: number;
  /** Where it can connect to. @default - the internet and AWS, no VPC */
  readonly network?: {
    readonly vpc: IVpc;
    readonly subnets: readonly ISubnet[];
    readonly securityGroup: ISecurityGroup;
  };
  /** File system to mount. */
  readonly mount?: { readonly accessPointArn: string; readonly path: string };
  /** Receives events that it failed on, for functions that are called without an answer. */
  readonly deadLetters?: IQueue;
  /** Instances of it that may run at once. @default - as many as the account allows: a new account has 10 for all its functions */
  readonly reservedConcurrency?: number;
  /** Sends traces to X-Ray. @default false */
  readonly tracing?: boolean;
  /** @default - generated */
  readonly roleName?: string;
}

/** A function of the platform: bundled by esbuild on the deployer's machine, on arm64, with a role, a log and an environment of its own. */
export class PlatformFunction<S extends EnvSchema> extends Construct {
  readonly function: IFunction;
  readonly handler: NodejsFunction;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: PlatformFunctionProps<S>) {
    super(scope, id);
    const { config, name, network, mount, rights, roleName } = props;
    const functionName = functionNameOf(config, name);
    this.logGroup = encryptedLogGroup(this, "Log", { config, key: props.logKey });
    const traced = props.tracing ?? false;
    const inVpc = network !== undefined;
    const role = functionRole(this, "Role", {
      functionName,
      logGroup: this.logGroup,
      rights,
      inVpc,
      traced,
      ...(roleName !== undefined && { roleName }),
    });
    this.handler = new NodejsFunction(this, "Function", {
      functionName,
      description: props.description,
      entry: pathOf(`lambdas/${name}/handler.ts`),
      handler: "handler",
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      projectRoot: pathOf("."),
      depsLockFilePath: pathOf("package-lock.json"),
      bundling: { ...functionBundling, forceDockerBundling: false },
      awsSdkConnectionReuse: false,
      environment: asText(props.environment),
      role: role.withoutPolicyUpdates(),
      logGroup: this.logGroup,
      timeout: props.timeout,
      memorySize: props.memoryMiB ?? 512,
      tracing: traced ? Tracing.ACTIVE : Tracing.DISABLED,
      ...(props.reservedConcurrency !== undefined && { reservedConcurrentExecutions: props.reservedConcurrency }),
      ...(props.deadLetters !== undefined && { deadLetterQueue: props.deadLetters }),
      ...(network !== undefined && {
        vpc: network.vpc,
        vpcSubnets: { subnets: [...network.subnets] },
        securityGroups: [network.securityGroup],
      }),
    });
    this.function = this.handler;
    const resource = this.handler.node.defaultChild;
    if (!(resource instanceof CfnFunction)) throw new Error("no AWS::Lambda::Function behind the construct");
    // The role exists with all its rights before the function does: a VPC or a mount is checked when it is made.
    resource.node.addDependency(role);
    if (mount !== undefined) resource.fileSystemConfigs = [{ arn: mount.accessPointArn, localMountPath: mount.path }];
    acknowledge(this.handler, exceptions(props));
  }
}

/** Starts with the deployment's name: the trail records invocations by it. */
export function functionNameOf(config: Pick<DeploymentConfig, "deployment">, name: FunctionName): string {
  return `${config.deployment}-${name}`;
}

/** Variables are text; what is left to its default is left out. */
function asText(environment: object): Record<string, string> {
  const given = Object.entries(environment).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

function exceptions<S extends EnvSchema>(props: PlatformFunctionProps<S>): Record<string, string> {
  return {
    ...(props.reservedConcurrency === undefined && {
      "NIST.800.53.R5-LambdaConcurrency":
        "A reservation is taken from the account's limit, which is 10 in a new account; API Gateway and the triggers throttle instead.",
    }),
    ...(props.deadLetters === undefined && {
      "NIST.800.53.R5-LambdaDLQ": "It is called for an answer only, and the caller hears of a failure.",
    }),
    ...(props.network === undefined && {
      "NIST.800.53.R5-LambdaInsideVPC":
        "Whatever has AWS rights has no network path to untrusted code: only bridge and janitor, which have none, are in the sandbox VPC.",
    }),
  };
}
