import type { Socket } from "node:net";

/** How long after its end a run may still be read: processes it left in the background hold its streams open. */
const lingerMs = 150;
/** More than a socket and our buffers hold at the end of a process; what comes after it, background processes wrote. */
const tailBytes = 2 * 1024 * 1024;

/** Hands on what comes; a promise that `onChunk` answers holds the stream back until it resolves. */
export function read(socket: Socket, onChunk: (chunk: Buffer) => Promise<void> | undefined) {
  let held: Promise<void> | undefined;
  let bytes = 0;
  const closed = new Promise<"closed">((resolve) => {
    socket.once("close", () => resolve("closed"));
    socket.once("end", () => resolve("closed"));
  });
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    const wait = onChunk(chunk);
    if (wait === undefined) return;
    socket.pause();
    held = wait;
    void wait.finally(() => {
      if (held !== wait) return;
      held = undefined;
      socket.resume();
    });
  });
  return {
    /** Resolves when all was read that the process had written. */
    async rest(): Promise<void> {
      const limit = bytes + tailBytes;
      for (;;) {
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<"late">((resolve) => (timer = setTimeout(resolve, lingerMs, "late")));
        const outcome = await Promise.race([closed, late]);
        clearTimeout(timer);
        if (outcome === "closed" || held === undefined || bytes > limit) return;
        await held;
      }
    },
  };
}

/** What background processes go on writing is read and dropped. */
export function drain(socket: Socket): void {
  socket.removeAllListeners("data");
  socket.resume();
  if (socket.readableEnded) socket.destroy();
  else socket.once("end", () => socket.destroy());
}

/** What came in all; undefined when it was more than `limit` bytes. */
export function capture(socket: Socket, limit: number) {
  const chunks: Buffer[] = [];
  let size = 0;
  const reading = read(socket, (chunk) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
    return undefined;
  });
  return { rest: () => reading.rest(), bytes: () => (size > limit ? undefined : Buffer.concat(chunks)) };
}
