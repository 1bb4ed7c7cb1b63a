import * as z from "zod";
import { agentEnvAnswerSchema, agentStateSchema, controlPrefix } from "#contracts/agent-control.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Endpoint } from "#core/model.ts";
import type { AgentPort, Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { type Connection, connect, unreachable } from "./connect.ts";
import { type Answer, exchange, type Question } from "./exchange.ts";

const activateMs = 10_000;
const renewMs = 5_000;
/** Stopping a fork bomb takes the agent some seconds. */
const freezeMs = 8_000;
/** Bytes of an answer that holds an environment: 256 KiB of it, in the worst case all escaped. */
const longestEnv = 2 * 1024 * 1024;
/** Between two attempts to connect to an agent that does not listen yet. */
const knockMs = 200;

export interface AgentBridgeDeps {
  /**
   * `required`: agents listen on TCP and show a certificate; nothing but a first `health` goes to one whose fingerprint is not known.
   * `never`: agents listen on Unix sockets, or on TCP in the clear.
   */
  readonly tls: "required" | "never";
  /** Addresses that may be connected to. @default all */
  readonly allow?: (host: string) => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Call extends Question {
  readonly endpoint: Endpoint;
  readonly timeoutMs: number;
  /** Whether this is the call that learns the agent's certificate, from an agent that may not listen yet. */
  readonly first?: boolean;
}

interface Answered extends Answer {
  readonly fingerprint: string | undefined;
}

const saidSchema = agentStateSchema.omit({ certificate_fingerprint: true });

/** The control plane's calls to agents, over their Unix sockets or TCP. Every byte of an answer is untrusted. */
export function makeAgentBridge(deps: AgentBridgeDeps): AgentPort {
  const secure = deps.tls === "required";

  async function reach(call: Call, signal: AbortSignal): Promise<Connection> {
    for (;;) {
      try {
        return await connect(call.endpoint, secure, signal);
      } catch (thrown) {
        if (call.first !== true || call.endpoint.kind !== "tcp" || !isNotThereYet(thrown)) throw thrown;
        await deps.clock.sleep(knockMs);
        if (signal.aborted) throw thrown;
      }
    }
  }

  /** One exchange within one deadline, from the first attempt to connect to the last byte of the answer. */
  async function converse(call: Call): Promise<Answered> {
    const refusal = refusalOf(deps, call);
    if (refusal !== null) throw unreachable(refusal);
    const deadline = new AbortController();
    const timer = deps.clock.after(call.timeoutMs, () => deadline.abort());
    try {
      const { socket, fingerprint } = await reach(call, deadline.signal);
      try {
        return { ...(await exchange(socket, call, deadline.signal)), fingerprint };
      } finally {
        socket.destroy();
      }
    } finally {
      timer.cancel();
    }
  }

  async function send(call: Call): Promise<Answered> {
    try {
      const answer = await converse(call);
      if (answer.status === 409) throw new BulkheadError("CONFLICT", "The instance belongs to another sandbox.");
      if (answer.status < 200 || answer.status > 299) throw unreachable(`status ${answer.status}`);
      return answer;
    } catch (error) {
      deps.logger.debug("agent call failed", { path: call.path, error });
      throw error;
    }
  }

  const path = (name: string): string => `${controlPrefix}${name}`;
  const state = async (call: Call) => {
    const { text, fingerprint } = await send(call);
    const said = parse(saidSchema, text);
    return fingerprint === undefined ? said : { ...said, certificate_fingerprint: fingerprint };
  };
  return {
    async activate(endpoint, body) {
      await send({ endpoint, method: "POST", path: path("activate"), body, timeoutMs: activateMs });
    },
    renew: (endpoint, body) => state({ endpoint, method: "POST", path: path("lease"), body, timeoutMs: renewMs }),
    freeze: (endpoint) => state({ endpoint, method: "POST", path: path("freeze"), timeoutMs: freezeMs }),
    thaw: (endpoint) => state({ endpoint, method: "POST", path: path("thaw"), timeoutMs: freezeMs }),
    async env(endpoint) {
      const call = {
        endpoint,
        method: "GET",
        path: path("env"),
        timeoutMs: renewMs,
        longestAnswer: longestEnv,
      } as const;
      return parse(agentEnvAnswerSchema, (await send(call)).text).env;
    },
    health: (endpoint, timeoutMs) => state({ endpoint, method: "GET", path: path("state"), timeoutMs, first: true }),
  };
}

/** Why a call is not even tried, or null. */
function refusalOf(deps: AgentBridgeDeps, { endpoint, first }: Call): string | null {
  if (endpoint.kind === "unix") return deps.tls === "required" ? "an agent without TLS" : null;
  if (deps.allow?.(endpoint.host) === false) return "not an address of an agent";
  if (deps.tls === "never") return endpoint.fingerprint === undefined ? null : "a certificate is expected, TLS is off";
  return endpoint.fingerprint === undefined && first !== true ? "the agent's certificate is not known" : null;
}

const notThereYet = z.object({ cause: z.object({ code: z.enum(["ECONNREFUSED", "EHOSTUNREACH"]) }) });

/** A container runs a moment before its agent listens. */
function isNotThereYet(thrown: unknown): boolean {
  return notThereYet.safeParse(thrown).success;
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // No cause: a parse error may quote the answer, and that may hold an environment.
    throw unreachable("answer is not what an agent says");
  }
}
