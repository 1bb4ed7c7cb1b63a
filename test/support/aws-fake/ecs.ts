import type { z } from "zod";
import {
  deleteDefinitionsSchema,
  deregisterSchema,
  describeTasksSchema,
  fargateMemory,
  listFamiliesSchema,
  listTaskDefinitionsSchema,
  listTasksSchema,
  runTaskSchema,
  stopTaskSchema,
  taskDefinitionSchema,
} from "./ecs-schemas.ts";
import { describeTask } from "./ecs-task.ts";
import { AwsFailure, type FakeState, isShown, page, statusOf, type Task, type TaskDefinition } from "./state.ts";

export type EcsOperation = (body: unknown) => Record<string, unknown>;

function invalid(message: string): never {
  throw new AwsFailure("InvalidParameterException", message);
}

function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const parsed = schema.safeParse(body);
  return parsed.success ? parsed.data : invalid(`The fake does not know this request: ${parsed.error.message}`);
}

/** ECS's operations on `state`, as far as they are used. */
export function makeEcs(state: FakeState): Readonly<Record<string, EcsOperation>> {
  const arnOf = (kind: string, name: string) => `arn:aws:ecs:${state.region}:123456789012:${kind}/${name}`;

  function checkCluster(cluster: string): void {
    if (cluster !== state.cluster) throw new AwsFailure("ClusterNotFoundException", "Cluster not found.");
  }

  function definition(nameOrArn: string): TaskDefinition {
    const found = state.taskDefinitions.find(
      (one) => one.arn === nameOrArn || `${one.family}:${one.revision}` === nameOrArn,
    );
    if (found === undefined) throw new AwsFailure("ClientException", "Unable to describe task definition.");
    return found;
  }

  const familyOf = (task: Task) => state.taskDefinitions.find((one) => one.arn === task.taskDefinitionArn)?.family;

  function shown(arn: string): Task | undefined {
    return state.tasks.find((task) => task.arn === arn && isShown(state, task));
  }

  function describeDefinition({ arn, family, revision, status, input }: TaskDefinition): Record<string, unknown> {
    return { ...input, taskDefinitionArn: arn, family, revision, status };
  }

  function register(body: unknown): Record<string, unknown> {
    const input = parse(taskDefinitionSchema, body);
    const memory = fargateMemory[input.cpu];
    if (memory?.includes(input.memory) !== true) {
      throw new AwsFailure("ClientException", "No Fargate configuration exists for given values.");
    }
    const volumes = new Set(input.volumes.map((volume) => volume.name));
    for (const { sourceVolume } of input.containerDefinitions.flatMap((container) => container.mountPoints)) {
      if (!volumes.has(sourceVolume)) throw new AwsFailure("ClientException", `Unknown volume '${sourceVolume}'.`);
    }
    const revision = state.taskDefinitions.filter((one) => one.family === input.family).length + 1;
    const arn = arnOf("task-definition", `${input.family}:${revision}`);
    const { tags, family } = input;
    const made: TaskDefinition = { arn, family, revision, tags, input, status: "ACTIVE" };
    state.taskDefinitions.push(made);
    return { taskDefinition: describeDefinition(made), tags };
  }

  function start(input: z.output<typeof runTaskSchema>): Task {
    const number = state.nextNumber();
    const { subnets, securityGroups } = input.networkConfiguration.awsvpcConfiguration;
    const subnetId = subnets[number % subnets.length] ?? "";
    const task: Task = {
      arn: arnOf("task", `${state.cluster}/${String(number).padStart(32, "0")}`),
      startedBy: input.startedBy,
      group: input.group,
      taskDefinitionArn: definition(input.taskDefinition).arn,
      securityGroups,
      subnetId,
      ip: `10.64.${state.subnetIds.indexOf(subnetId)}.${number}`,
      tags: input.tags,
      createdAt: state.now(),
      stop: null,
    };
    state.tasks.push(task);
    return task;
  }

  function checkRun(input: z.output<typeof runTaskSchema>): void {
    checkCluster(input.cluster);
    if (definition(input.taskDefinition).status !== "ACTIVE") {
      throw new AwsFailure("ClientException", "TaskDefinition is inactive");
    }
    const { subnets, securityGroups } = input.networkConfiguration.awsvpcConfiguration;
    for (const subnet of subnets) if (!state.subnetIds.includes(subnet)) invalid(`Unknown subnet ${subnet}`);
    for (const group of securityGroups) if (!state.securityGroups.has(group)) invalid(`Unknown group ${group}`);
  }

  function runTask(body: unknown): Record<string, unknown> {
    const input = parse(runTaskSchema, body);
    const request = JSON.stringify(input);
    const earlier = state.runTokens.get(input.clientToken);
    if (earlier !== undefined && earlier.request !== request) {
      const message = "The clientToken is used already with other parameters.";
      throw new AwsFailure("ConflictException", message, 400, { resourceIds: earlier.arns });
    }
    if (earlier === undefined) checkRun(input);
    const arns = earlier?.arns ?? [start(input).arn];
    state.runTokens.set(input.clientToken, { request, arns });
    const tasks = state.tasks.filter((task) => arns.includes(task.arn));
    return { tasks: tasks.map((task) => describeTask(state, task, true)), failures: [] };
  }

  function listTasks(body: unknown): Record<string, unknown> {
    const input = parse(listTasksSchema, body);
    checkCluster(input.cluster);
    const desired = "startedBy" in input ? "RUNNING" : input.desiredStatus;
    const found = state.tasks.filter(
      (task) =>
        isShown(state, task) &&
        (task.stop === null) === (desired === "RUNNING") &&
        (!("startedBy" in input) || task.startedBy === input.startedBy) &&
        (!("family" in input) || familyOf(task) === input.family),
    );
    const { items, next } = page(found, state.limits.pageSize, input.nextToken);
    return { taskArns: items.map((task) => task.arn), nextToken: next };
  }

  function describeTasks(body: unknown): Record<string, unknown> {
    const input = parse(describeTasksSchema, body);
    checkCluster(input.cluster);
    const missing = input.tasks.filter((arn) => shown(arn) === undefined);
    const tasks = input.tasks.map(shown).filter((task) => task !== undefined);
    return {
      tasks: tasks.map((task) => describeTask(state, task, input.include.includes("TAGS"))),
      failures: missing.map((arn) => ({ arn, reason: "MISSING" })),
    };
  }

  function stopTask(body: unknown): Record<string, unknown> {
    const input = parse(stopTaskSchema, body);
    checkCluster(input.cluster);
    const task = state.tasks.find((one) => one.arn === input.task);
    if (task === undefined) invalid("The referenced task was not found.");
    task.stop ??= { at: state.now(), code: "UserInitiated", reason: input.reason ?? "", exitCode: null };
    return { task: describeTask(state, task, false) };
  }

  function deleteDefinitions(body: unknown): Record<string, unknown> {
    const done: TaskDefinition[] = [];
    const failures: Record<string, unknown>[] = [];
    for (const arn of parse(deleteDefinitionsSchema, body).taskDefinitions) {
      const found = definition(arn);
      if (found.status === "ACTIVE") {
        failures.push({ arn, reason: "The specified task definition is still in ACTIVE status." });
        continue;
      }
      found.status = "DELETE_IN_PROGRESS";
      done.push(found);
    }
    return { taskDefinitions: done.map(describeDefinition), failures };
  }

  return {
    RegisterTaskDefinition: register,
    RunTask: runTask,
    ListTasks: listTasks,
    DescribeTasks: describeTasks,
    StopTask: stopTask,
    DeregisterTaskDefinition(body) {
      const found = definition(parse(deregisterSchema, body).taskDefinition);
      if (found.status === "ACTIVE") found.status = "INACTIVE";
      return { taskDefinition: describeDefinition(found) };
    },
    DeleteTaskDefinitions: deleteDefinitions,
    ListTaskDefinitions(body) {
      const input = parse(listTaskDefinitionsSchema, body);
      const found = remaining(state).filter((one) => one.family === input.familyPrefix && one.status === input.status);
      const { items, next } = page(found, state.limits.pageSize, input.nextToken);
      return { taskDefinitionArns: items.map((one) => one.arn), nextToken: next };
    },
    ListTaskDefinitionFamilies(body) {
      const input = parse(listFamiliesSchema, body);
      const families = remaining(state)
        .filter((one) => one.family.startsWith(input.familyPrefix))
        .filter((one) => input.status === "ALL" || (one.status === "ACTIVE") === (input.status === "ACTIVE"))
        .map((one) => one.family);
      const { items, next } = page([...new Set(families)], state.limits.pageSize, input.nextToken);
      return { families: items, nextToken: next };
    },
  };
}

/** A deleted revision stays until its tasks have ended. */
export function remaining(state: FakeState): TaskDefinition[] {
  return state.taskDefinitions.filter((one) => {
    const used = state.tasks.some((task) => task.taskDefinitionArn === one.arn && statusOf(state, task) !== "STOPPED");
    return one.status !== "DELETE_IN_PROGRESS" || used;
  });
}
