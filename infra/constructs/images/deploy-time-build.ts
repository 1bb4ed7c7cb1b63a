import type { ContainerImageBuild } from "@cdklabs/deploy-time-build";
import { CfnResource, Stack } from "aws-cdk-lib";
import { CfnProject } from "aws-cdk-lib/aws-codebuild";
import { CfnPolicy, CfnRole, PolicyDocument } from "aws-cdk-lib/aws-iam";
import { CfnFunction } from "aws-cdk-lib/aws-lambda";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import type { IConstruct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import { policyInRole, type Right, statementOf, wildcardReasons } from "../functions/right.ts";
import { imageBuildSpec } from "./build-spec.ts";

export interface BuildRights {
  readonly repositoryArn: string;
  readonly logGroup: LogGroup;
}

/**
 * deploy-time-build makes one CodeBuild project and one function per stack, with AWS managed policies and log groups that no stack owns.
 * Gives both exactly what they need, our log group and our build specification. Call once, after the last image.
 */
export function confineBuilds(builds: readonly ContainerImageBuild[], rights: BuildRights): void {
  const [first] = builds;
  if (first === undefined) return;
  const stack = Stack.of(first);
  const project = only(stack, CfnProject, "ContainerImageBuild");
  const handler = only(stack, CfnFunction, "DeployTimeBuildCustomResourceHandler");
  project.source = { type: "NO_SOURCE", buildSpec: stack.resolve(imageBuildSpec().toBuildSpec()) as string };
  project.logsConfig = { cloudWatchLogs: { status: "ENABLED", groupName: rights.logGroup.logGroupName } };
  handler.loggingConfig = { logGroup: rights.logGroup.logGroupName };
  ownerOf(handler).node.tryRemoveChild("LogGroup");
  setRights(ownerOf(project), [...buildRights(stack, rights), writeLogs(rights.logGroup)]);
  setRights(ownerOf(handler), [startRight(project), writeLogs(rights.logGroup)]);
  acknowledge(ownerOf(project), {
    "AwsSolutions-CB4": "It keeps nothing: no artifact and no cache. Images are encrypted in the repository.",
  });
  acknowledge(ownerOf(handler), handlerExceptions);
  for (const build of builds) limitWait(build);
}

function buildRights(stack: Stack, { repositoryArn }: BuildRights): Right[] {
  return [
    {
      actions: [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ],
      resources: [repositoryArn],
    },
    {
      actions: ["ecr:GetAuthorizationToken", "ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"],
      resources: ["*"],
      because: "These actions know no resource; they log in to this account's registry and to the public one.",
    },
    {
      actions: ["s3:GetObject"],
      resources: [`arn:${stack.partition}:s3:::${assetBucket(stack)}/*`],
      because: "Build contexts are CDK assets, whose names are their content: others come with each deployment.",
    },
  ];
}

/** As `cdk bootstrap` makes it, unless it was told otherwise. */
function assetBucket(stack: Stack): string {
  const qualifier = (stack.node.tryGetContext("@aws-cdk/core:bootstrapQualifier") as string | undefined) ?? "hnb659fds";
  return `cdk-${qualifier}-assets-${stack.account}-${stack.region}`;
}

function startRight(project: CfnProject): Right {
  return { actions: ["codebuild:StartBuild"], resources: [project.attrArn] };
}

function writeLogs(logGroup: LogGroup): Right {
  return { actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [logGroup.logGroupArn] };
}

const once =
  "Runs during a deployment only, called by CloudFormation, which waits for its answer and reports its failure.";

const handlerExceptions = {
  "AwsSolutions-L1": "The runtime that deploy-time-build tests its function with; AWS supports it.",
  "NIST.800.53.R5-LambdaConcurrency": once,
  "NIST.800.53.R5-LambdaDLQ": once,
  "NIST.800.53.R5-LambdaInsideVPC": "It talks to the CodeBuild API alone; neither VPC has a way there for functions.",
};

/** What the library and CDK's grants wrote is replaced. */
function setRights(owner: IConstruct, rights: readonly Right[]): void {
  for (const child of owner.node.findAll()) {
    if (child instanceof CfnRole) child.managedPolicyArns = undefined;
    if (child instanceof CfnPolicy) child.policyDocument = new PolicyDocument({ statements: rights.map(statementOf) });
  }
  acknowledge(owner, { ...wildcardReasons(Stack.of(owner), rights), ...policyInRole });
}

/** CloudFormation waits an hour for an answer that a build may never give, such as one that did not start. */
function limitWait(build: ContainerImageBuild): void {
  const resource = build.node.findChild("Resource").node.defaultChild;
  if (!CfnResource.isCfnResource(resource)) throw new Error("no custom resource behind the image build");
  resource.addPropertyOverride("ServiceTimeout", "2400");
}

function ownerOf(resource: CfnResource): IConstruct {
  const owner = resource.node.scope;
  if (owner === undefined) throw new Error(`${resource.node.path} stands alone`);
  return owner;
}

function only<T extends CfnResource>(stack: Stack, type: abstract new (...args: never[]) => T, prefix: string): T {
  const found = stack.node.children
    .filter(({ node }) => node.id.startsWith(prefix))
    .flatMap(({ node }) => node.findAll())
    .filter((child): child is T => child instanceof type);
  const [first] = found;
  if (first === undefined || found.length > 1) throw new Error(`${found.length} of ${type.name} in ${prefix}`);
  return first;
}
