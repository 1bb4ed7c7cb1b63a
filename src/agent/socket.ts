import type { IncomingMessage } from "node:http";

/** One open WebSocket of a caller. Text frames of JSON both ways (contract §5). */
export interface AgentSocket {
  /**
   * Sends one frame. No frame is lost to the JavaScript client, however many leave in one TCP segment (contract rule 24).
   * @returns a promise when the caller reads slower than this writes: wait for it before the next; undefined: go on
   */
  send(frame: object): Promise<void> | undefined;
  /** Frames of the caller, parsed. One that is no JSON object, or is binary, never arrives: the socket is closed with a typed error frame. */
  onFrame(listener: (frame: Readonly<Record<string, unknown>>) => void): void;
  /** Stops and resumes reading from the caller: backpressure the other way. */
  pause(): void;
  resume(): void;
  /** Aborts when the connection has ended, whoever ended it. */
  readonly closed: AbortSignal;
  /** Ends it after what was sent has gone out. @default 1000 */
  close(code?: number, reason?: string): void;
}

export interface SocketRequest {
  readonly req: IncomingMessage;
  /** Request id, for logs and errors. */
  readonly id: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Completes the upgrade. Throw a BulkheadError before it to refuse with an HTTP answer. */
  accept(): AgentSocket;
}

/** A path that takes WebSocket upgrades. */
export interface SocketRoute {
  readonly path: string;
  open(request: SocketRequest): void;
}
