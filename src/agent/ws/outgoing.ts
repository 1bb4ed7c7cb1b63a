import type { Duplex } from "node:stream";
import { textFrame } from "./frames.ts";

/** Bytes waiting for a slow reader from which on senders are asked to wait. */
const highWaterMark = 1024 * 1024;

/** Writes frames to the raw connection, those of one turn of the event loop with one system call. */
export interface Outgoing {
  /** @returns a promise while the reader is behind; it resolves when it has caught up or gone */
  send(frame: object): Promise<void> | undefined;
}

export function makeOutgoing(socket: Duplex, deflate: boolean): Outgoing {
  let caughtUp: Promise<void> | undefined;
  let corked = false;

  function uncork(): void {
    corked = false;
    socket.uncork();
  }

  function untilCaughtUp(): Promise<void> {
    caughtUp ??= new Promise((resolve) => {
      const done = () => {
        socket.off("drain", done).off("close", done);
        caughtUp = undefined;
        resolve();
      };
      socket.on("drain", done).on("close", done);
    });
    return caughtUp;
  }

  return {
    send(frame) {
      if (socket.destroyed || socket.writableEnded) return undefined;
      if (!corked) {
        corked = true;
        socket.cork();
        process.nextTick(uncork);
      }
      socket.write(textFrame(JSON.stringify(frame), deflate));
      return socket.writableLength > highWaterMark ? untilCaughtUp() : undefined;
    },
  };
}
