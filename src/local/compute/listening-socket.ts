import { once } from "node:events";
import { renameSync } from "node:fs";
import { createServer } from "node:net";
import * as z from "zod";

/** Node has no public way to the descriptor of a listening server; its handle carries it. */
const withDescriptor = z.object({ _handle: z.object({ fd: z.number().int().nonnegative() }) });

export interface ListeningSocket {
  readonly fd: number;
  /** Closes our copy; the path and inherited copies stay. */
  release(): void;
}

/**
 * Listens on a Unix socket at `path` for someone else to accept from: requests wait in its backlog until then. The name is
 * given by a rename because closing a server removes the name it listened on.
 */
export async function openListeningSocket(path: string): Promise<ListeningSocket> {
  const server = createServer();
  server.listen({ path: `${path}.t`, backlog: 1024 });
  await once(server, "listening");
  try {
    renameSync(`${path}.t`, path);
    const { fd } = withDescriptor.parse(server)._handle;
    return { fd, release: () => server.close() };
  } catch (error) {
    server.close();
    throw error;
  }
}
