import type { IncomingMessage } from "node:http";
import type { Transform } from "node:stream";
import { decodersOf } from "../broker/decode-body.ts";
import type { ValueHider } from "../broker/value-hider.ts";
import { passedBack } from "../forward-headers.ts";

/** A server's answer as the sandbox gets it. */
export interface Answer {
  readonly reason: string | undefined;
  /** Names and values in turn. */
  readonly headers: string[];
  /** What its body passes through; null: it is in an encoding that cannot be searched. */
  readonly body: readonly Transform[] | null;
}

export function asItIs(answer: IncomingMessage): Answer {
  return { reason: answer.statusMessage, headers: passedBack(answer), body: [] };
}

/** Without the values that went out with its request. What is hidden has another length, and no encoding. */
export function hidden(hider: ValueHider, req: IncomingMessage, answer: IncomingMessage): Answer {
  const { statusCode = 502, statusMessage } = answer;
  const bodiless = req.method === "HEAD" || statusCode === 204 || statusCode === 304;
  const decoders = bodiless ? [] : decodersOf(answer.headers["content-encoding"]);
  return {
    reason: statusMessage === undefined ? undefined : hider.text(statusMessage),
    headers: without(passedBack(answer), bodiless ? [] : ["content-length", "content-encoding"]).map((text) =>
      hider.text(text),
    ),
    body: decoders === null ? null : [...decoders, hider.body()],
  };
}

export function without(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, index) => !names.includes(headers[index - (index % 2)]?.toLowerCase() ?? ""));
}
