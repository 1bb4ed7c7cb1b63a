import { Agent, type RequestOptions, request } from "node:http";
import type { z } from "zod";
import { type ActivateRequest, agentStateSchema, controlPrefix } from "#contracts/agent-control.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Endpoint } from "#core/model.ts";
import type { AgentPort, Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";

/** Answers are a few hundred bytes; more than this is an agent that someone took over. */
const longestAnswer = 64 * 1024;
const activateMs = 10_000;
const renewMs = 5_000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

interface Call {
  readonly endpoint: Endpoint;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs: number;
}

function unreachable(why: string, cause?: unknown): BulkheadError {
  return new BulkheadError(
    "AGENT_UNREACHABLE",
    "The sandbox did not answer. Try again; if it persists, create another one.",
    {
      details: { why },
      cause,
    },
  );
}

function addressOf(endpoint: Endpoint): RequestOptions {
  return endpoint.kind === "unix" ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port };
}

/** One exchange within one deadline, from connect to the last byte of the answer. */
function exchange(call: Call, clock: Clock, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = call.body === undefined ? "" : JSON.stringify(call.body);
    const outgoing = request(
      {
        ...addressOf(call.endpoint),
        agent,
        method: call.method,
        path: call.path,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
        maxHeaderSize: 8 * 1024,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
          if (text.length > longestAnswer) fail("answer too long");
        });
        response.on("end", () => {
          timer.cancel();
          resolve({ status: response.statusCode ?? 0, text });
        });
        response.on("error", (error) => fail("answer broke off", error));
      },
    );
    const fail = (why: string, cause?: unknown): void => {
      timer.cancel();
      reject(unreachable(why, cause));
      outgoing.destroy();
    };
    const timer = clock.after(call.timeoutMs, () => fail(`no answer within ${call.timeoutMs} ms`));
    outgoing.on("error", (error) => fail("no connection", error));
    outgoing.on("close", () => fail("connection closed"));
    outgoing.end(body);
  });
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw unreachable("answer is not what an agent says", cause);
  }
}

/** The control plane's calls to agents, over their Unix sockets or TCP. Every byte of an answer is untrusted. */
export function makeAgentBridge(deps: { readonly clock: Clock; readonly logger: Logger }): AgentPort {
  // No kept connections: calls to one agent are rare, and instances come and go.
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

  async function send(call: Call): Promise<Answer> {
    try {
      const answer = await exchange(call, deps.clock, agent);
      if (answer.status === 409) {
        throw new BulkheadError("CONFLICT", "The instance belongs to another sandbox.");
      }
      if (answer.status < 200 || answer.status > 299) throw unreachable(`status ${answer.status}`);
      return answer;
    } catch (error) {
      deps.logger.debug("agent call failed", { path: call.path, error });
      throw error;
    }
  }

  const path = (name: string): string => `${controlPrefix}${name}`;
  return {
    async activate(endpoint, body: ActivateRequest) {
      await send({ endpoint, method: "POST", path: path("activate"), body, timeoutMs: activateMs });
    },
    async renew(endpoint, lease) {
      const call = { endpoint, method: "POST", path: path("lease"), body: lease, timeoutMs: renewMs } as const;
      return parse(agentStateSchema, (await send(call)).text);
    },
    async health(endpoint, timeoutMs) {
      return parse(agentStateSchema, (await send({ endpoint, method: "GET", path: path("state"), timeoutMs })).text);
    },
  };
}
