import { Agent, type AgentOptions } from "node:http";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const translate = { marshallOptions: { removeUndefinedValues: true } };

/**
 * DynamoDB in an AWS region, with the caller's own credentials. Make one and keep it: its retry bucket learns the table's rate.
 * @public for the functions that mount the core on AWS
 */
export function makeDocumentClient(region: string): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    region,
    retryMode: "adaptive",
    maxAttempts: 4,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 1_000,
      requestTimeout: 3_000,
      throwOnRequestTimeout: true,
    }),
  });
  return DynamoDBDocumentClient.from(client, translate);
}

/** A DynamoDB that listens on a Unix socket of this machine: no network port, no credentials of value. */
export function makeSocketDocumentClient(socketPath: string): DynamoDBDocumentClient {
  // An agent hands its options to net.connect; the types only miss this one.
  const options: AgentOptions & { socketPath: string } = { keepAlive: true, maxSockets: 32, socketPath };
  const client = new DynamoDBClient({
    region: "local",
    endpoint: "http://localhost",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    // The socket is the authority; dynalite only wants to see the form of a signature.
    signer: {
      sign: (request) => {
        request.headers["authorization"] = unsigned;
        request.headers["x-amz-date"] = "20260101T000000Z";
        return Promise.resolve(request);
      },
    },
    requestHandler: new NodeHttpHandler({
      httpAgent: new Agent(options),
      requestTimeout: 10_000,
      throwOnRequestTimeout: true,
    }),
    maxAttempts: 3,
  });
  // What only serves the far end in AWS, or a log that nobody reads, costs more time here than the request itself.
  for (const name of [
    "loggerMiddleware",
    "getUserAgentMiddleware",
    "recursionDetectionMiddleware",
    "hostHeaderMiddleware",
  ]) {
    client.middlewareStack.remove(name);
  }
  return DynamoDBDocumentClient.from(client, translate);
}

const unsigned = "AWS4-HMAC-SHA256 Credential=local, SignedHeaders=host, Signature=local";
