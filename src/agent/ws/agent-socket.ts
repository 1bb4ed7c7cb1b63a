import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import type { BulkheadError } from "#contracts/errors.ts";
import { type Hide, hideInMembers } from "#contracts/hide-in.ts";
import type { AgentClock } from "../clock.ts";
import { errorFrame } from "../error-frame.ts";
import type { AgentSocket } from "../socket.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { readIncoming } from "./incoming.ts";
import { makeOutgoing } from "./outgoing.ts";

export interface AgentSocketOptions {
  /** Open, in server mode; its data frames are read here and written to `connection` beside it. */
  readonly ws: WebSocket;
  readonly connection: Duplex;
  /** Whether permessage-deflate was negotiated. */
  readonly deflate: boolean;
  readonly clock: AgentClock;
  /** Request id of the upgrade. */
  readonly id: string;
  /** Called for each frame either way; pings are none. */
  readonly onActivity: () => void;
  /** Takes values of secrets out of error frames; all others are the user's own. */
  readonly hide: Hide;
}

/** The whole of one message; `ws` gives more than one buffer only when asked to. */
function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function isError(frame: object): boolean {
  return "type" in frame && frame.type === "error";
}

export function makeAgentSocket(options: AgentSocketOptions): AgentSocket {
  const { ws, connection, deflate, clock, id, onActivity, hide } = options;
  const outgoing = makeOutgoing(connection, deflate);
  const closed = new AbortController();
  let listener: Parameters<AgentSocket["onFrame"]>[0] = () => {};
  const heartbeat = startHeartbeat({
    clock,
    ping: () => ws.ping(),
    answerable: () => connection.writableLength === 0 && !ws.isPaused,
    onDead: () => ws.terminate(),
  });

  function end(): void {
    heartbeat.stop();
    closed.abort();
  }

  function send(frame: object): Promise<void> | undefined {
    if (ws.readyState !== ws.OPEN) {
      // The closing handshake has begun; its end may have to wait for much that is still to be written.
      end();
      return undefined;
    }
    onActivity();
    return outgoing.send(isError(frame) ? hideInMembers(frame, hide) : frame);
  }

  function refuse(error: BulkheadError, closeCode: number): void {
    void send(errorFrame(error, id, clock));
    ws.close(closeCode, error.code);
  }

  ws.on("message", (data, isBinary) => {
    heartbeat.seen();
    if (ws.readyState !== ws.OPEN) return;
    onActivity();
    const incoming = readIncoming(bytesOf(data), isBinary);
    if (incoming.kind === "fields") listener(incoming.fields);
    else refuse(incoming.error, incoming.closeCode);
  });
  ws.on("ping", () => heartbeat.seen()).on("pong", () => heartbeat.seen());
  ws.on("close", end);
  // A breach of the protocol or a connection that broke: `ws` closes, and `close` tells.
  ws.on("error", () => {});

  return {
    send,
    onFrame(next) {
      listener = next;
    },
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    closed: closed.signal,
    close: (code = 1000, reason = "") => ws.close(code, reason),
  };
}
