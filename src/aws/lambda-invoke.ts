import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import type { z } from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "#core/ports.ts";
import { type ClientChoice, lambdaClient } from "./service-clients.ts";
import { serviceFailure } from "./service-failure.ts";

export interface InvokeDeps extends ClientChoice<LambdaClient> {
  readonly functionName: string;
  readonly clock: Clock;
}

/**
 * Asks another function and waits for what it answers. Payloads hold secrets: they are in no error and no log line.
 * @throws BulkheadError SERVICE_UNAVAILABLE when Lambda throttles or cannot answer, INTERNAL_ERROR when we may not call
 * @throws Unanswered when the function failed, took too long, or answered something else: what it did is unknown
 */
export type Invoke = <T>(payload: object, schema: z.ZodType<T>, timeoutMs: number) => Promise<T>;

export class Unanswered extends Error {
  constructor(why: string, options?: ErrorOptions) {
    super(why, options);
    this.name = "Unanswered";
  }
}

export function makeInvoke(deps: InvokeDeps): Invoke {
  const { clock, functionName } = deps;
  const client = lambdaClient(deps);
  return async (payload, schema, timeoutMs) => {
    const deadline = new AbortController();
    const timer = clock.after(timeoutMs, () => deadline.abort());
    try {
      const command = new InvokeCommand({
        FunctionName: functionName,
        InvocationType: "RequestResponse",
        Payload: Buffer.from(JSON.stringify(payload)),
      });
      const answer = await client.send(command, { abortSignal: deadline.signal });
      if (answer.FunctionError !== undefined) throw new Unanswered(`the function failed (${answer.FunctionError})`);
      return parse(schema, answer.Payload?.transformToString() ?? "");
    } catch (thrown) {
      if (thrown instanceof Unanswered || thrown instanceof BulkheadError) throw thrown;
      if (deadline.signal.aborted) throw new Unanswered(`no answer within ${timeoutMs} ms`);
      throw serviceFailure("A part of the platform", thrown);
    } finally {
      timer.cancel();
    }
  };
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // No cause: a parse error may quote the answer.
    throw new Unanswered("the function answered something else");
  }
}
