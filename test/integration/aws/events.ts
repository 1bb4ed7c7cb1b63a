import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { DescribeTasksCommand, ECSClient, ListTasksCommand, type Task } from "@aws-sdk/client-ecs";
import type { APIGatewayProxyEvent, DynamoDBRecord, DynamoDBStreamEvent, ScheduledEvent } from "aws-lambda";
import { region } from "./account.ts";

/** Events in the shapes that AWS documents (API Gateway REST proxy, EventBridge, DynamoDB streams). */

interface Call {
  readonly method: string;
  /** With the stage, as callers write it: /v1/sandboxes. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly authorizer?: Readonly<Record<string, unknown>>;
  readonly userArn?: string;
}

export function restEvent(call: Call): APIGatewayProxyEvent {
  const headers = {
    Host: "abc123.execute-api.eu-west-1.amazonaws.com",
    "X-Forwarded-For": "203.0.113.9",
    ...call.headers,
  };
  const multi = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]]));
  return {
    resource: "/{proxy+}",
    path: call.path.replace(/^\/v1/, ""),
    httpMethod: call.method,
    headers,
    multiValueHeaders: multi(headers),
    queryStringParameters: call.query === undefined ? null : { ...call.query },
    multiValueQueryStringParameters: call.query === undefined ? null : multi(call.query),
    pathParameters: null,
    stageVariables: null,
    body: call.body === undefined ? null : JSON.stringify(call.body),
    isBase64Encoded: false,
    requestContext: {
      accountId: "123456789012",
      apiId: "abc123",
      authorizer: call.authorizer === undefined ? undefined : { principalId: "user", ...call.authorizer },
      domainName: "abc123.execute-api.eu-west-1.amazonaws.com",
      domainPrefix: "abc123",
      protocol: "HTTP/1.1",
      httpMethod: call.method,
      identity: {
        accessKey: null,
        accountId: null,
        apiKey: null,
        apiKeyId: null,
        caller: null,
        clientCert: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: "203.0.113.9",
        user: null,
        userAgent: "test",
        userArn: call.userArn ?? null,
      },
      path: call.path,
      stage: "v1",
      requestId: "7b0d9e1c-0000-4000-8000-000000000000",
      requestTimeEpoch: 1_795_000_000_000,
      resourceId: "res1",
      resourcePath: "/{proxy+}",
    },
  };
}

export const everyMinute: ScheduledEvent = {
  version: "0",
  id: "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
  "detail-type": "Scheduled Event",
  source: "aws.events",
  account: "123456789012",
  time: "2026-11-23T00:00:00Z",
  region,
  resources: ["arn:aws:events:eu-west-1:123456789012:rule/minute"],
  detail: {},
};

/** Items of the table as the stream shows them. */
export async function itemsOf(table: string, kind: string): Promise<NonNullable<Image>[]> {
  const client = new DynamoDBClient({ region });
  const wire = (item: unknown) => JSON.parse(JSON.stringify(item)) as NonNullable<Image>;
  const { Items = [] } = await client.send(new ScanCommand({ TableName: table, ConsistentRead: true }));
  return Items.filter((item) => item["pk"]?.S?.startsWith(`${kind}#`)).map(wire);
}

type Image = NonNullable<DynamoDBRecord["dynamodb"]>["NewImage"];

export function streamEvent(
  eventName: "INSERT" | "MODIFY" | "REMOVE",
  images: { readonly before?: Image; readonly after?: Image; readonly byTtl?: true },
): DynamoDBStreamEvent {
  return {
    Records: [
      {
        eventID: "1",
        eventVersion: "1.1",
        eventSource: "aws:dynamodb",
        awsRegion: region,
        eventName,
        eventSourceARN: "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026",
        ...(images.byTtl && { userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" } }),
        dynamodb: {
          StreamViewType: "NEW_AND_OLD_IMAGES",
          SequenceNumber: "111",
          ...(images.before && { OldImage: images.before }),
          ...(images.after && { NewImage: images.after }),
        },
      },
    ],
  };
}

export async function tasksIn(cluster: string, desiredStatus: "RUNNING" | "STOPPED" = "RUNNING"): Promise<Task[]> {
  const ecs = new ECSClient({ region });
  const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster, desiredStatus }));
  if (taskArns.length === 0) return [];
  return (await ecs.send(new DescribeTasksCommand({ cluster, tasks: taskArns }))).tasks ?? [];
}

/** "ECS Task State Change", with what moto cannot say: a status, an address and a way to end. */
export function taskEvent(
  task: Task,
  change: {
    readonly lastStatus: "PENDING" | "RUNNING" | "DEPROVISIONING" | "STOPPED";
    readonly host: string;
    readonly exitCode?: number;
    readonly stopCode?: string;
  },
) {
  return {
    version: "0",
    id: "3317b2af-7005-947d-b652-f55e762e571a",
    "detail-type": "ECS Task State Change",
    source: "aws.ecs",
    account: "123456789012",
    time: "2026-11-23T00:00:00Z",
    region,
    resources: [task.taskArn ?? ""],
    detail: {
      clusterArn: task.clusterArn,
      taskArn: task.taskArn,
      startedBy: task.startedBy,
      group: task.group,
      lastStatus: change.lastStatus,
      desiredStatus: ["DEPROVISIONING", "STOPPED"].includes(change.lastStatus) ? "STOPPED" : "RUNNING",
      version: 3,
      launchType: "FARGATE",
      ...(change.stopCode !== undefined && { stopCode: change.stopCode, stoppedReason: "reason" }),
      attachments: [
        {
          id: "e6e6e6",
          type: "eni",
          status: "ATTACHED",
          details: [
            { name: "subnetId", value: "subnet-1" },
            { name: "privateIPv4Address", value: change.host },
          ],
        },
      ],
      containers: [
        {
          containerArn: "arn:aws:ecs:eu-west-1:123456789012:container/1",
          name: "agent",
          lastStatus: change.lastStatus,
          ...(change.exitCode !== undefined && { exitCode: change.exitCode }),
        },
      ],
    },
  };
}
