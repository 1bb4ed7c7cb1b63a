import { Duration } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { ICluster } from "aws-cdk-lib/aws-ecs";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { EventSourceMapping, FilterCriteria, StartingPosition } from "aws-cdk-lib/aws-lambda";
import { SqsDlq } from "aws-cdk-lib/aws-lambda-event-sources";
import type { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { Trigger } from "aws-cdk-lib/triggers";
import { Construct } from "constructs";
import type { DeadLetters } from "./dead-letters.ts";
import { streamArnOf } from "./functions/table-rights.ts";

export interface EventsProps {
  readonly functions: Readonly<Record<"task-events" | "sweeper" | "pool" | "bootstrap" | "chainer", NodejsFunction>>;
  readonly cluster: ICluster;
  readonly table: ITable;
  readonly deadLetters: DeadLetters;
}

/** What starts the functions that nobody calls. */
export class Events extends Construct {
  constructor(scope: Construct, id: string, { functions, cluster, table, deadLetters }: EventsProps) {
    super(scope, id);
    const { pool, sweeper, bootstrap, chainer } = functions;
    this.taskChanges(functions["task-events"], cluster, deadLetters);
    this.every(
      "EachMinute",
      Duration.minutes(1),
      [sweeper, pool, chainer],
      deadLetters,
      "Sweeps, keeps the pool, chains audit events",
    );
    const stream = { table, deadLetters };
    this.onRecords("PoolStream", pool, { ...stream, filters: [wanted, claimed], parallel: 10 });
    this.onRecords("SweeperStream", sweeper, { ...stream, filters: [expired("INSTANCE#"), expired("SANDBOX#")] });
    new Trigger(this, "Bootstrap", { handler: bootstrap, timeout: Duration.minutes(2) });
    this.every(
      "EachDay",
      Duration.days(1),
      [bootstrap],
      deadLetters,
      "Replaces the first API key before it ends; tells the age of keys",
    );
  }

  /** At least once and in any order, as EventBridge delivers. Of a task's eight statuses two are acted on (lambdas/task-events/act.ts). */
  private taskChanges(handler: NodejsFunction, cluster: ICluster, { events }: DeadLetters): void {
    handler.configureAsyncInvoke({ retryAttempts: 2, maxEventAge: Duration.hours(1) });
    new Rule(this, "TaskChanges", {
      description: "Tasks of instances have moved on",
      eventPattern: {
        source: ["aws.ecs"],
        detailType: ["ECS Task State Change"],
        detail: { clusterArn: [cluster.clusterArn], lastStatus: ["RUNNING", "STOPPED"] },
      },
      targets: [
        new LambdaFunction(handler, { deadLetterQueue: events, retryAttempts: 20, maxEventAge: Duration.hours(1) }),
      ],
    });
  }

  /** What failed is not repeated: the next round does the same again. */
  private every(
    id: string,
    period: Duration,
    handlers: readonly NodejsFunction[],
    { events }: DeadLetters,
    description: string,
  ): void {
    const once = { retryAttempts: 0, maxEventAge: Duration.minutes(1) };
    for (const handler of handlers) handler.configureAsyncInvoke(once);
    new Rule(this, id, {
      description,
      schedule: Schedule.rate(period),
      targets: handlers.map((handler) => new LambdaFunction(handler, { ...once, deadLetterQueue: events })),
    });
  }

  private onRecords(
    id: string,
    target: NodejsFunction,
    props: { table: ITable; deadLetters: DeadLetters; filters: readonly Filter[]; parallel?: number },
  ): void {
    const { table, deadLetters, filters, parallel } = props;
    new EventSourceMapping(this, id, {
      target,
      eventSourceArn: streamArnOf(table),
      // Records from before the mapping was made are acted on too: repeating one does no harm, missing one does.
      startingPosition: StartingPosition.TRIM_HORIZON,
      filters: filters.map((filter) => FilterCriteria.filter(filter)),
      batchSize: 10,
      bisectBatchOnError: true,
      reportBatchItemFailures: true,
      retryAttempts: 5,
      maxRecordAge: Duration.minutes(10),
      onFailure: new SqsDlq(deadLetters.stream),
      ...(parallel !== undefined && { parallelizationFactor: parallel }),
    });
  }
}

type Filter = Readonly<Record<string, unknown>>;

const keyStarts = (start: string) => ({ pk: { S: [{ prefix: start }] } });
const inState = (state: "starting" | "warm" | "claimed") => ({ state: { S: [state] } });

/** An instance that somebody waits for: its record is the order to launch it. */
const wanted: Filter = {
  eventName: ["INSERT"],
  dynamodb: { Keys: keyStarts("INSTANCE#"), NewImage: inState("starting") },
};

/** A warm instance was claimed: the pool has one too few. */
const claimed: Filter = {
  eventName: ["MODIFY"],
  dynamodb: { Keys: keyStarts("INSTANCE#"), OldImage: inState("warm"), NewImage: inState("claimed") },
};

/** A record that DynamoDB itself removed because its time was over; our own deletes carry no such identity. */
const expired = (start: string): Filter => ({
  eventName: ["REMOVE"],
  userIdentity: {
    type: ["Service"],
    principalId: ["dynamodb.amazonaws.com"],
  },
  dynamodb: { Keys: keyStarts(start) },
});
