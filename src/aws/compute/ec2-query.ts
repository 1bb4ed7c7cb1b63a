import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { parseXML } from "@aws-sdk/xml-builder";
import { Sha256 } from "@smithy/core/checksum";
import { loadConfig } from "@smithy/core/config";
import { HttpRequest } from "@smithy/core/protocols";
import { AdaptiveRetryStrategy, isThrottlingError, isTransientError } from "@smithy/core/retry";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { SignatureV4, type SignatureV4Init } from "@smithy/signature-v4";
import type { RetryStrategyV2, RetryToken } from "@smithy/types";
import * as z from "zod";
import { flatten, type QueryParameters } from "./ec2-parameters.ts";

/**
 * EC2's Query protocol, made of the SDK's own parts: credentials, signature, connection, retry. `@aws-sdk/client-ec2` itself carries the
 * schemas of all 700 operations, which no bundler drops: 136 kB zipped and over 100 ms of every cold start for the six that are needed.
 */
export interface Ec2Query {
  /** @returns the elements below the answer's root @throws Ec2Error with EC2's code as its name */
  call(action: string, parameters: QueryParameters): Promise<Readonly<Record<string, unknown>>>;
}

/** Looks like an error of an SDK client. */
export class Ec2Error extends Error {
  readonly $metadata: { readonly httpStatusCode: number };

  constructor(code: string, message: string, httpStatusCode: number) {
    super(message);
    this.name = code;
    this.$metadata = { httpStatusCode };
  }
}

export interface Ec2Options {
  readonly region: string;
  /** @default - that of the environment (AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL), else the region's own */
  readonly endpoint?: string;
  /** @default - as the SDK finds them */
  readonly credentials?: SignatureV4Init["credentials"];
  /** @default 4 */
  readonly maxAttempts?: number;
}

const version = "2016-11-15";
const maxAnswerBytes = 20_000_000;

const answerSchema = z.record(z.string(), z.unknown());
const failureSchema = z.object({
  Response: z.object({ Errors: z.object({ Error: z.object({ Code: z.string(), Message: z.string() }) }) }),
});

export function makeEc2Query(options: Ec2Options): Ec2Query {
  const { region, credentials = defaultProvider(), maxAttempts = 4 } = options;
  const signer = new SignatureV4({ service: "ec2", region, credentials, sha256: Sha256 });
  const handler = new NodeHttpHandler({
    connectionTimeout: 1_000,
    requestTimeout: 10_000,
    throwOnRequestTimeout: true,
  });
  const retry: RetryStrategyV2 = new AdaptiveRetryStrategy(maxAttempts);
  const endpoint = endpointOf(options);

  async function send(body: string): Promise<Readonly<Record<string, unknown>>> {
    const { protocol, hostname, port, host } = new URL(await endpoint());
    const request = new HttpRequest({
      method: "POST",
      protocol,
      hostname,
      ...(port !== "" && { port: Number(port) }),
      path: "/",
      headers: {
        host,
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "content-length": String(Buffer.byteLength(body)),
      },
      body,
    });
    const signed = await signer.sign(request);
    const { response } = await handler.handle(new HttpRequest(signed));
    return read(response.statusCode, await textOf(response.body));
  }

  return {
    async call(action, parameters) {
      const body = new URLSearchParams({ Action: action, Version: version, ...flatten(parameters) }).toString();
      let token = await retry.acquireInitialRetryToken("ec2");
      for (;;) {
        try {
          const answer = await send(body);
          retry.recordSuccess(token);
          return answer;
        } catch (thrown) {
          const next = await nextAttempt(retry, token, thrown);
          if (next === null) throw thrown;
          token = next;
        }
      }
    },
  };
}

/** Waits as long as the strategy wants. @returns null when no repeat helps or enough was tried */
async function nextAttempt(retry: RetryStrategyV2, token: RetryToken, thrown: unknown): Promise<RetryToken | null> {
  if (!isSdkError(thrown)) return null;
  const throttled = isThrottlingError(thrown);
  if (!throttled && !isTransientError(thrown)) return null;
  try {
    return await retry.refreshRetryTokenForRetry(token, { errorType: throttled ? "THROTTLING" : "TRANSIENT" });
  } catch {
    return null;
  }
}

type SdkError = Parameters<typeof isTransientError>[0];

/** Every field it adds to an Error is optional. */
function isSdkError(thrown: unknown): thrown is SdkError {
  return thrown instanceof Error;
}

/** Found as the SDK's clients find theirs. */
function endpointOf({ region, endpoint }: Ec2Options): () => Promise<string> {
  if (endpoint !== undefined) return () => Promise.resolve(endpoint);
  return loadConfig({
    environmentVariableSelector: (env) => env["AWS_ENDPOINT_URL_EC2"] ?? env["AWS_ENDPOINT_URL"],
    configFileSelector: (profile) => profile["endpoint_url"],
    default: `https://ec2.${region}.${region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com"}`,
  });
}

const streamSchema = z.custom<AsyncIterable<Uint8Array>>(
  (value) => typeof value === "object" && value !== null && Symbol.asyncIterator in value,
);

async function textOf(body: unknown): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of streamSchema.parse(body)) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new Error("EC2's answer is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function read(status: number, text: string): Readonly<Record<string, unknown>> {
  if (status === 200) return answerSchema.parse(Object.values(answerSchema.parse(parseXML(text)))[0]);
  const failure = failureSchema.safeParse(parsed(text));
  if (!failure.success) throw new Ec2Error("UnknownError", `EC2 answered ${status}`, status);
  const { Code, Message } = failure.data.Response.Errors.Error;
  throw new Ec2Error(Code, Message, status);
}

/** undefined for what something in between may answer instead of EC2. */
function parsed(text: string): unknown {
  try {
    return parseXML(text);
  } catch {
    return undefined;
  }
}
