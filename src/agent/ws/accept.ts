import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { BulkheadError } from "#contracts/errors.ts";
import { maxFrameBytes } from "./incoming.ts";

export interface Accepted {
  readonly ws: WebSocket;
  /** Whether permessage-deflate was negotiated. */
  readonly deflate: boolean;
}

/** @throws BulkheadError INVALID_REQUEST for a handshake that is none; nothing has been written then */
export type Accept = (req: IncomingMessage, connection: Duplex, head: Buffer) => Accepted;

export function makeAccept(): Accept {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Frames up to here are refused with an error frame (incoming.ts); longer ones end the connection at their header.
    maxPayload: 4 * maxFrameBytes,
    skipUTF8Validation: true,
    // Clients then send short frames as they are, and no inflater has to be kept for them.
    perMessageDeflate: { clientNoContextTakeover: true },
  });
  return (req, connection, head) => {
    let problem = "the connection has ended";
    const onRefused = (error: Error) => {
      problem = error.message;
    };
    const opened: WebSocket[] = [];
    server.once("wsClientError", onRefused);
    server.handleUpgrade(req, connection, head, (ws) => opened.push(ws));
    server.off("wsClientError", onRefused);
    const [ws] = opened;
    if (ws === undefined) throw new BulkheadError("INVALID_REQUEST", `No WebSocket handshake: ${problem}.`);
    return { ws, deflate: ws.extensions.includes("permessage-deflate") };
  };
}
