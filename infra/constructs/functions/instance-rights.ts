import { Stack } from "aws-cdk-lib";
import type { IVpc } from "aws-cdk-lib/aws-ec2";
import type { ICluster } from "aws-cdk-lib/aws-ecs";
import type { IFileSystem } from "aws-cdk-lib/aws-efs";
import type { IRole } from "aws-cdk-lib/aws-iam";
import { tagNames } from "#aws/compute/settings.ts";
import type { Right } from "./right.ts";

/** Where instances live. */
export interface InstancePlace {
  readonly deployment: string;
  readonly cluster: ICluster;
  readonly vpc: IVpc;
  readonly fileSystem: IFileSystem;
  readonly executionRole: IRole;
}

const notYet = "They are made for each instance and have no name before that;";
const byTag = "the deployment's tag tells ours from others.";

/** Names and conditions that the statements below share. */
function names(place: InstancePlace) {
  const { partition, region, account } = Stack.of(place.cluster);
  const { deployment, cluster } = place;
  const arn = (service: string, resource: string) => `arn:${partition}:${service}:${region}:${account}:${resource}`;
  return {
    taskDefinitions: arn("ecs", `task-definition/${deployment}-*:*`),
    tasks: arn("ecs", `task/${cluster.clusterName}/*`),
    securityGroups: arn("ec2", "security-group/*"),
    securityGroupRules: arn("ec2", "security-group-rule/*"),
    vpc: arn("ec2", `vpc/${place.vpc.vpcId}`),
    accessPoints: arn("elasticfilesystem", "access-point/*"),
    quotas: ["fargate", "vpc", "ec2", "elasticfilesystem"].map((service) => arn("servicequotas", `${service}/*`)),
    /** What is being made is tagged as ours. */
    made: { [`aws:RequestTag/${tagNames.deployment}`]: deployment },
    /** What is there is tagged as ours. */
    ours: { [`aws:ResourceTag/${tagNames.deployment}`]: deployment },
    inCluster: { ArnEquals: { "ecs:cluster": cluster.clusterArn } },
  };
}

/** Ends tasks of the cluster; all that a caller's delete does at once, the rest follows from the task's end. */
export function stopRights(place: InstancePlace, more: readonly "ecs:DescribeTasks"[] = []): Right[] {
  const { tasks, inCluster } = names(place);
  return [
    {
      actions: ["ecs:StopTask", ...more],
      resources: [tasks],
      conditions: inCluster,
      because: "Tasks have generated names; the cluster holds nothing but this deployment's instances.",
    },
    {
      actions: ["ecs:ListTasks"],
      resources: ["*"],
      conditions: inCluster,
      because:
        "The action knows container instances only, of which Fargate has none; a condition limits it to the cluster.",
    },
  ];
}

/** One tag of access points that are ours, and no other: never the deployment's, by which they are. */
function retagRight(place: InstancePlace, tag: string): Right {
  const { accessPoints, ours } = names(place);
  return {
    actions: ["elasticfilesystem:TagResource"],
    resources: [accessPoints],
    conditions: { StringEquals: ours, "ForAllValues:StringEquals": { "aws:TagKeys": [tag] } },
    because: `${notYet} ${byTag}`,
  };
}

/** Says that an instance's files are to stay when it ends. */
export function leaveRights(place: InstancePlace): Right[] {
  const { accessPoints } = names(place);
  return [
    retagRight(place, tagNames.keptBy),
    {
      actions: ["elasticfilesystem:DescribeAccessPoints"],
      resources: [place.fileSystem.fileSystemArn, accessPoints],
      because: "Access points have generated names.",
    },
  ];
}

/** Finds and takes down what was made for instances: revisions, access points, security groups. */
export function teardownRights(place: InstancePlace): Right[] {
  const { taskDefinitions, securityGroups, accessPoints, ours } = names(place);
  return [
    ...stopRights(place, ["ecs:DescribeTasks"]),
    ...leaveRights(place),
    {
      actions: ["ecs:DeregisterTaskDefinition", "ecs:ListTaskDefinitions", "ecs:ListTaskDefinitionFamilies"],
      resources: ["*"],
      because: "ECS knows no resource for these actions; the code names families of this deployment only.",
    },
    {
      actions: ["ecs:DeleteTaskDefinitions"],
      resources: [taskDefinitions],
      conditions: { StringEquals: ours },
      because: `${notYet} ${byTag}`,
    },
    {
      actions: ["ec2:DeleteSecurityGroup"],
      resources: [securityGroups],
      conditions: { StringEquals: ours },
      because: `${notYet} ${byTag}`,
    },
    {
      actions: ["ec2:DescribeSecurityGroups"],
      resources: ["*"],
      because: "EC2 knows no resource for what describes.",
    },
    {
      actions: ["elasticfilesystem:DeleteAccessPoint"],
      resources: [accessPoints],
      conditions: { StringEquals: ours },
      because: `${notYet} ${byTag}`,
    },
  ];
}

/** Makes an instance: its security group, access point and revision, and runs it. One function has these. */
export function launchRights(place: InstancePlace): Right[] {
  return [...taskRights(place), ...securityGroupRights(place), ...accessPointRights(place), ...quotaRights(place)];
}

function taskRights(place: InstancePlace): Right[] {
  const { taskDefinitions, tasks, made, inCluster } = names(place);
  return [
    {
      actions: ["ecs:RegisterTaskDefinition"],
      resources: [taskDefinitions],
      conditions: { StringEquals: made },
      because: `${notYet} families start with the deployment's name.`,
    },
    {
      actions: ["ecs:RunTask"],
      resources: [taskDefinitions],
      conditions: { ...inCluster, StringEquals: made },
      because: `${notYet} families start with the deployment's name.`,
    },
    {
      actions: ["ecs:TagResource"],
      resources: [taskDefinitions, tasks],
      conditions: { StringEquals: { ...made, "ecs:CreateAction": ["RegisterTaskDefinition", "RunTask"] } },
      because: `${notYet} they can be tagged only while they are made.`,
    },
    {
      actions: ["iam:PassRole"],
      resources: [place.executionRole.roleArn],
      conditions: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
    },
  ];
}

function securityGroupRights(place: InstancePlace): Right[] {
  const { securityGroups, securityGroupRules, vpc, made, ours } = names(place);
  const authorize = ["ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"];
  const because = `${notYet} ${byTag}`;
  return [
    { actions: ["ec2:CreateSecurityGroup"], resources: [vpc] },
    {
      actions: ["ec2:CreateSecurityGroup"],
      resources: [securityGroups],
      conditions: { StringEquals: made },
      because,
    },
    {
      actions: ["ec2:CreateTags"],
      resources: [securityGroups],
      conditions: { StringEquals: { ...made, "ec2:CreateAction": "CreateSecurityGroup" } },
      because: `${notYet} they can be tagged only while they are made.`,
    },
    {
      actions: [...authorize, "ec2:RevokeSecurityGroupEgress"],
      resources: [securityGroups],
      conditions: { StringEquals: ours },
      because,
    },
    {
      actions: authorize,
      resources: [securityGroupRules],
      because: "Rules have no name before they are made; the group that they go into is limited by its tag.",
    },
  ];
}

function accessPointRights(place: InstancePlace): Right[] {
  const { accessPoints, made } = names(place);
  return [
    {
      actions: ["elasticfilesystem:CreateAccessPoint"],
      resources: [place.fileSystem.fileSystemArn],
      conditions: { StringEquals: made },
    },
    {
      actions: ["elasticfilesystem:TagResource"],
      resources: [accessPoints],
      conditions: { StringEquals: { ...made, "elasticfilesystem:CreateAction": "CreateAccessPoint" } },
      because: `${notYet} they can be tagged only while they are made.`,
    },
    // A kept one gets another instance.
    retagRight(place, tagNames.instance),
  ];
}

function quotaRights(place: InstancePlace): Right[] {
  return [
    {
      actions: ["servicequotas:GetServiceQuota"],
      resources: names(place).quotas,
      because: "Reads the limits that decide how many instances fit, by the services that set them.",
    },
    {
      actions: ["servicequotas:GetAWSDefaultServiceQuota"],
      resources: ["*"],
      because: "The action knows no resource; it reads what AWS publishes.",
    },
  ];
}
