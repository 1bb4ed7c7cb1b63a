import type { Socket } from "node:net";

/**
 * The first line of an instance's connection, where an address alone must not do: `BULKHEAD-EGRESS/1 <credential>`. The agent's relay
 * writes it; user code that connects by itself has no credential.
 */
const longestLine = 256;
const longestWaitMs = 20_000;
const line = /^BULKHEAD-EGRESS\/1 ([A-Za-z0-9_-]{20,128})\r?$/;

/** Takes the line off. null for one that is missing, malformed or late. */
export function readGreeting(socket: Socket): Promise<string | null> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const timer = setTimeout(() => settle(null), longestWaitMs);
    const settle = (credential: string | null) => {
      clearTimeout(timer);
      socket.off("readable", look).off("close", gone);
      resolve(credential);
    };
    const gone = () => settle(null);
    const look = () => {
      for (let chunk: unknown = socket.read(); Buffer.isBuffer(chunk); chunk = socket.read()) {
        bytes = Buffer.concat([bytes, chunk]);
        const end = bytes.indexOf(10);
        if (end !== -1 || bytes.length > longestLine) {
          settle(end === -1 ? null : (line.exec(bytes.toString("latin1", 0, end))?.[1] ?? null));
          if (end !== -1 && bytes.length > end + 1) socket.unshift(bytes.subarray(end + 1));
          return;
        }
      }
      if (socket.readableEnded) settle(null);
    };
    socket.on("readable", look).once("close", gone);
  });
}
