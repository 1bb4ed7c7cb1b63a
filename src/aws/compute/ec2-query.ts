import { parseXML } from "@aws-sdk/xml-builder";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { Sha256 } from "@smithy/core/checksum";
import { loadConfig } from "@smithy/core/config";
import { HttpRequest } from "@smithy/core/protocols";
import { AdaptiveRetryStrategy, isThrottlingError, isTransientError } from "@smithy/core/retry";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { SignatureV4 } from "@smithy/signature-v4";
import { z } from "zod";
import { flatten, type QueryParameters } from "./ec2-parameters.ts";

/**
 * EC2's Query protocol, made of the SDK's own parts: credentials, signature, connection, retry. `@aws-sdk/client-ec2` itself carries the
 * schemas of 700 operations, which no bundler drops: 120 kB zipped and 100 ms of every cold start for the six that are needed here.
 */
export interface Ec2Query {
  /** @returns the answer's elements below its root @throws Ec2Error with EC2's code as its name */
  call(action: string, parameters: QueryParameters): Promise<Readonly<Record<string, unknown>>>;
}

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
  /** @default that of the environment (AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL), else the region's own */
  readonly endpoint?: string;
  /** @default 4 */
  readonly maxAttempts?: number;
}

const version = "2016-11-15";
const maxAnswerBytes = 20_000_000;

const failureSchema = z.object({
  Response: z.object({ Errors: z.object({ Error: z.object({ Code: z.string(), Message: z.string() }) }) }),
});
const answerSchema = z.record(z.string(), z.unknown());

export function makeEc2Query(options: Ec2Options): Ec2Query {
  const { region } = options;
  const signer = new SignatureV4({ service: "ec2", region, credentials: defaultProvider(), sha256: Sha256 });
  const handler = new NodeHttpHandler({ connectionTimeout: 1_000, requestTimeout: 10_000, throwOnRequestTimeout: true });
  const retry = new AdaptiveRetryStrategy(options.maxAttempts ?? 4);
  const endpoint = options.endpoint === undefined ? configuredEndpoint(region) : () => Promise.resolve(options.endpoint ?? "");

  async function once(body: string): Promise<Readonly<Record<string, unknown>>> {
    const { protocol, hostname, port, host } = new URL(await endpoint());
    const request = new HttpRequest({
      method: "POST",
      protocol,
      hostname,
      ...(port === "" ? {} : { port: Number(port) }),
      path: "/",
      headers: { host, "content-type": "application/x-www-form-urlencoded", "content-length": String(Buffer.byteLength(body)) },
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
          const answer = await once(body);
          retry.recordSuccess(token);
          return answer;
        } catch (thrown) {
          const error = thrown instanceof Error ? thrown : new Error(String(thrown));
          const throttled = isThrottlingError(error);
          if (!throttled && !isTransientError(error)) throw error;
          const delay = await nextAttempt(retry, token, throttled);
          if (delay === null) throw error;
          token = delay.token;
          await new Promise((resolve) => setTimeout(resolve, delay.ms));
        }
      }
    },
  };
}

type Token = Awaited<ReturnType<AdaptiveRetryStrategy["acquireInitialRetryToken"]>>;

/** null: enough was tried. */
async function nextAttempt(retry: AdaptiveRetryStrategy, token: Token, throttled: boolean) {
  try {
    const errorType = throttled ? "THROTTLING" : "TRANSIENT";
    const next = await retry.refreshRetryTokenForRetry(token, { errorType });
    return { token: next, ms: next.getRetryDelay() };
  } catch {
    return null;
  }
}

/** As the SDK's clients find theirs. */
function configuredEndpoint(region: string): () => Promise<string> {
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return loadConfig<string>({
    environmentVariableSelector: (env) => env["AWS_ENDPOINT_URL_EC2"] ?? env["AWS_ENDPOINT_URL"],
    configFileSelector: (profile) => profile["endpoint_url"],
    default: `https://ec2.${region}.${suffix}`,
  });
}

async function textOf(body: unknown): Promise<string> {
  const stream = z.custom<AsyncIterable<Uint8Array>>((value) => typeof value === "object" && value !== null).parse(body);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new Error("EC2's answer has no end");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function read(status: number, text: string): Readonly<Record<string, unknown>> {
  if (status === 200) {
    const [root] = Object.values(answerSchema.parse(parseXML(text)));
    return answerSchema.parse(root);
  }
  const failure = failureSchema.safeParse(parsed(text));
  if (!failure.success) throw new Ec2Error("UnknownError", `EC2 answered ${status}`, status);
  const { Code, Message } = failure.data.Response.Errors.Error;
  throw new Ec2Error(Code, Message, status);
}

/** undefined for what a proxy in between may answer instead of EC2. */
function parsed(text: string): unknown {
  try {
    return parseXML(text);
  } catch {
    return undefined;
  }
}
