import type { Server } from "node:http";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Clock } from "#core/ports.ts";
import type { Gateway } from "#gateway/gateway.ts";
import { answerBroken } from "./broken-requests.ts";
import type { LocalConfig } from "./config.ts";
import { listenOn } from "./listen.ts";

export interface Doors {
  readonly controlPort: number;
  readonly gatewayPort: number;
  close(): Promise<void>;
}

/** Both doors open, or none. */
export async function openDoors(config: LocalConfig, control: Server, gateway: Gateway): Promise<Doors> {
  const controlPort = await listenOn(control, config.host, config.port, "BULKHEAD_PORT");
  try {
    const gatewayPort = await listenOn(gateway.server, config.host, config.gatewayPort, "BULKHEAD_GATEWAY_PORT");
    return {
      controlPort,
      gatewayPort,
      async close() {
        await Promise.all([closeServer(control), gateway.close(500)]);
      },
    };
  } catch (thrown) {
    await closeServer(control);
    throw thrown;
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    // A request that is still at work has this long.
    setTimeout(() => server.closeAllConnections(), 500).unref();
  });
}

/** The control app on node:http. */
export function makeControlServer(app: Pick<OpenAPIHono, "fetch">, clock: Clock): Server {
  const listener = getRequestListener(app.fetch);
  const server = createServer(
    {
      keepAliveTimeout: 75_000,
      // Of the whole head, and of the whole request: bodies are small here.
      headersTimeout: 20_000,
      requestTimeout: 60_000,
      connectionsCheckingInterval: 2000,
    },
    (req, res) => {
      void listener(req, res);
    },
  );
  return server.on("clientError", answerBroken(clock));
}
