import { connect, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "#telemetry/logger.ts";

/** User code must not be able to use up the agent's descriptors. */
const maxConnections = 512;

/** Offers the egress proxy's Unix socket, which user code cannot see, on a loopback port; a plain byte pipe. */
export function startRelay(port: number, socketPath: string, logger: Logger): Server {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (inner: Socket) => {
    const outer = connect({ path: socketPath, allowHalfOpen: true });
    const close = () => {
      inner.destroy();
      outer.destroy();
    };
    for (const side of [inner, outer]) side.on("error", close);
    inner.on("close", close);
    outer.on("close", close);
    inner.pipe(outer).pipe(inner);
  });
  server.on("error", (error) => logger.error("the way out does not listen", { port, error }));
  server.maxConnections = maxConnections;
  server.listen(port, "127.0.0.1");
  return server;
}
