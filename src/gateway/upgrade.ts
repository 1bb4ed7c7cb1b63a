import { type Agent, type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { toBulkheadError } from "#contracts/errors.ts";
import type { Endpoint } from "#core/model.ts";
import type { Clock } from "#core/ports.ts";
import { targetOf } from "./agent-connections.ts";
import { makeFrameWatch } from "./frame-watch.ts";
import { type Answering, type Forwarding, requestHeaders, responseHeaders } from "./headers.ts";

/** A WebSocket passed through, byte for byte, since the agent's 101: extensions are negotiated between the ends. */
export interface Tunnel {
  /** Whether a data frame went either way since this was last asked. */
  takeSawData(): boolean;
  readonly closed: Promise<void>;
  /** Tells the client why, where it can be told between two frames, and closes both ends. */
  end(code: number, reason: string): void;
  destroy(): void;
}

export type UpgradeOutcome =
  | { readonly outcome: "open"; readonly tunnel: Tunnel }
  /** The agent answered with something other than 101; the answer was passed on. */
  | { readonly outcome: "refused"; readonly status: number }
  | { readonly outcome: "abandoned" }
  | { readonly outcome: "failed"; readonly error: Error };

export interface UpgradeExchange extends Forwarding, Answering {
  readonly req: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** Sees what the client sends as it goes by. */
  readonly watch?: ((chunk: Uint8Array) => void) | undefined;
}

/** How long an end may take to swallow its last bytes after the other one has gone. */
const lingerMs = 10_000;

export function attemptUpgrade(
  agent: Agent,
  endpoint: Endpoint,
  exchange: UpgradeExchange,
  clock: Clock,
): Promise<UpgradeOutcome> {
  const { req, socket } = exchange;
  return new Promise((resolve) => {
    const headers = requestHeaders(req, exchange);
    headers.push("Connection", "Upgrade", "Upgrade", req.headers.upgrade ?? "websocket");
    const upstream = request({
      ...targetOf(endpoint),
      agent,
      method: req.method,
      path: exchange.route.path,
      headers,
    });
    const onHangUp = () => {
      upstream.destroy();
      resolve({ outcome: "abandoned" });
    };
    socket.once("close", onHangUp);
    upstream.on("error", (error) => {
      socket.off("close", onHangUp);
      resolve({ outcome: "failed", error });
    });
    upstream.once("upgrade", (answer, agentSocket, agentHead) => {
      socket.off("close", onHangUp);
      socket.write(
        headOf(answer, exchange, ["Connection", "Upgrade", "Upgrade", answer.headers.upgrade ?? "websocket"]),
      );
      resolve({ outcome: "open", tunnel: splice(exchange, agentSocket, agentHead, clock) });
    });
    upstream.once("response", (answer) => {
      socket.off("close", onHangUp);
      socket.once("close", () => answer.destroy());
      answer.on("error", (error) => socket.destroy(toBulkheadError(error)));
      // Without a length the end of the connection ends the body.
      socket.write(headOf(answer, exchange, ["Connection", "close"]));
      answer.pipe(socket);
      resolve({ outcome: "refused", status: answer.statusCode ?? 0 });
    });
    upstream.end();
  });
}

function headOf(answer: IncomingMessage, exchange: UpgradeExchange, connection: readonly string[]): string {
  const headers = [...responseHeaders(answer, exchange), ...connection];
  let text = `HTTP/1.1 ${answer.statusCode ?? 502} ${answer.statusMessage ?? ""}\r\n`;
  for (let index = 0; index + 1 < headers.length; index += 2)
    text += `${headers[index] ?? ""}: ${headers[index + 1] ?? ""}\r\n`;
  return `${text}\r\n`;
}

function splice(
  { socket: client, head: clientHead, watch }: Pick<UpgradeExchange, "socket" | "head" | "watch">,
  agent: Duplex,
  agentHead: Buffer,
  clock: Clock,
): Tunnel {
  const directions = [makeFrameWatch(), makeFrameWatch()] as const;
  const seeClient = (chunk: Uint8Array) => {
    directions[0].see(chunk);
    watch?.(chunk);
  };
  join(client, clientHead, agent, seeClient);
  join(agent, agentHead, client, directions[1].see);
  const closed = Promise.all([endTogether(client, agent, clock), endTogether(agent, client, clock)]).then(
    () => undefined,
  );
  return {
    takeSawData() {
      const [up, down] = directions.map((watch) => watch.takeSawData());
      return up === true || down === true;
    },
    closed,
    end(code, reason) {
      if (directions[1].atBoundary() && client.writable) client.end(closeFrame(code, reason));
      else client.destroy();
      agent.destroy();
    },
    destroy() {
      client.destroy();
      agent.destroy();
    },
  };
}

/** As a server sends it: not masked. */
function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason).subarray(0, 120);
  return Buffer.concat([Buffer.from([0x88, text.length + 2, code >> 8, code & 255]), text]);
}

function join(from: Duplex, head: Buffer, to: Duplex, see: (chunk: Uint8Array) => void): void {
  if (head.length > 0) {
    see(head);
    to.write(head);
  }
  from.on("data", see);
  from.pipe(to);
}

/** Resolves when `one` has closed; then `other` gets its last bytes and goes too. */
function endTogether(one: Duplex, other: Duplex, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    one.on("error", () => other.destroy());
    one.once("close", () => {
      resolve();
      if (other.destroyed) return;
      other.end();
      other.resume();
      const timer = clock.after(lingerMs, () => other.destroy());
      other.once("close", () => timer.cancel());
    });
  });
}
