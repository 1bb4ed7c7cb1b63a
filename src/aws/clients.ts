import { Agent, type AgentOptions } from "node:http";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const translate = { marshallOptions: { removeUndefinedValues: true } };

/** DynamoDB in an AWS region, with the caller's own credentials. Make one and keep it: its retry bucket learns the table's rate. */
export function makeDocumentClient(region: string): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(new DynamoDBClient({ region, retryMode: "adaptive", maxAttempts: 4 }), translate);
}

/** A DynamoDB that listens on a Unix socket of this machine: no network port, no credentials of value. */
export function makeSocketDocumentClient(socketPath: string): DynamoDBDocumentClient {
  // An agent hands its options to net.connect; the types only miss this one.
  const options: AgentOptions & { socketPath: string } = { keepAlive: true, maxSockets: 32, socketPath };
  const httpAgent = new Agent(options);
  const client = new DynamoDBClient({
    region: "local",
    endpoint: "http://localhost",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: new NodeHttpHandler({ httpAgent, requestTimeout: 10_000 }),
    maxAttempts: 3,
  });
  return DynamoDBDocumentClient.from(client, translate);
}
