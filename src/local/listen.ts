import type { Server } from "node:http";
import { BulkheadError } from "#contracts/errors.ts";

/**
 * Listens and answers the port in use (0 asks for a free one).
 * @throws BulkheadError CONFLICT when the port is taken, naming the variable that chooses another
 */
export function listenOn(server: Server, host: string, port: number, variable: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(explain(error, host, port, variable));
    server.once("error", refuse);
    server.listen(port, host, () => {
      server.off("error", refuse);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number, variable: string): Error {
  if (error.code === "EADDRINUSE") {
    return new BulkheadError(
      "CONFLICT",
      `Port ${port} on ${host} is in use. Stop what uses it, or choose another with ${variable}.`,
      {
        cause: error,
      },
    );
  }
  if (error.code === "EACCES") {
    return new BulkheadError(
      "PERMISSION_DENIED",
      `Not allowed to listen on ${host}:${port}. Choose a port above 1023 with ${variable}.`,
      {
        cause: error,
      },
    );
  }
  return error;
}
