import { request } from "node:http";
import type { Socket } from "node:net";
import { unreachable } from "./connect.ts";

/** Answers are a few hundred bytes; more than this is an agent that someone took over. */
const longestByDefault = 64 * 1024;

export interface Question {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  /** Bytes of the answer from which on it is not believed. @default 65,536 */
  readonly longestAnswer?: number;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One request and its answer over an open connection, up to the last byte or until `signal` fires. */
export function exchange(socket: Socket, question: Question, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = question.body === undefined ? "" : JSON.stringify(question.body);
    const outgoing = request(
      {
        // No kept connections: calls to one agent are rare, and instances come and go.
        createConnection: () => socket,
        method: question.method,
        path: question.path,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
        maxHeaderSize: 8 * 1024,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
          if (text.length > (question.longestAnswer ?? longestByDefault)) fail("answer too long");
        });
        response.on("end", () => {
          signal.removeEventListener("abort", expire);
          resolve({ status: response.statusCode ?? 0, text });
        });
        response.on("error", (error) => fail("answer broke off", error));
      },
    );
    const fail = (why: string, cause?: unknown): void => {
      signal.removeEventListener("abort", expire);
      reject(unreachable(why, cause));
      outgoing.destroy();
    };
    const expire = (): void => fail("no answer in time");
    signal.addEventListener("abort", expire);
    outgoing.on("error", (error) => fail("no connection", error));
    outgoing.on("close", () => fail("connection closed"));
    outgoing.end(body);
  });
}
