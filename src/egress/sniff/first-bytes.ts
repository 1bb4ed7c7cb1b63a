import type { Socket } from "node:net";
import { type Sniffed, sniff } from "./sniff.ts";

export interface First {
  /** Taken from the socket, which is paused. */
  readonly bytes: Buffer;
  readonly sniffed: Exclude<Sniffed, { kind: "more" }>;
}

/** Reads until it is known what the client speaks. null when it has gone before. */
export function firstBytes(socket: Socket, head: Buffer): Promise<First | null> {
  return new Promise((resolve) => {
    let bytes = head;
    const settle = (first: First | null) => {
      socket.off("data", more).off("end", ended).off("close", gone);
      socket.pause();
      resolve(first);
    };
    const look = () => {
      const sniffed = sniff(bytes);
      if (sniffed.kind !== "more") settle({ bytes, sniffed });
    };
    const more = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      look();
    };
    // One that says nothing, or stops in the middle, may still listen.
    const ended = () => settle({ bytes, sniffed: { kind: "opaque" } });
    const gone = () => settle(null);
    if (socket.destroyed) {
      resolve(null);
      return;
    }
    socket.on("data", more).once("end", ended).once("close", gone);
    look();
    // One that was paused before stays so, unless it is told.
    if (socket.listeners("data").includes(more)) socket.resume();
  });
}
