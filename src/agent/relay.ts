import { connect, createServer, type NetConnectOpts, type Server, type Socket } from "node:net";
import type { Logger } from "#telemetry/logger.ts";
import type { AgentSettings } from "./environment.ts";
import { join } from "./join.ts";

/** User code must not be able to use up the agent's descriptors. */
const maxConnections = 512;

/** Where the egress proxy listens: a Unix socket that user code cannot see, or a host. */
export type EgressTarget = { readonly path: string } | { readonly host: string; readonly port: number };

/** The way out that an instance was started with, undefined without one. @throws Error for an address that is not `host:port` */
export function egressTarget(
  settings: Pick<AgentSettings, "BULKHEAD_EGRESS_SOCKET" | "BULKHEAD_EGRESS_ADDRESS">,
): EgressTarget | undefined {
  const { BULKHEAD_EGRESS_SOCKET: path, BULKHEAD_EGRESS_ADDRESS: address } = settings;
  if (path !== undefined) return { path };
  return address === undefined ? undefined : hostAndPort(address);
}

function hostAndPort(address: string): EgressTarget {
  const [, host, port] = /^([\w.-]+):(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined || port === undefined) throw new Error("BULKHEAD_EGRESS_ADDRESS must be host:port.");
  return { host, port: Number(port) };
}

/** As `src/egress/greeting.ts` reads it. */
const greeting = (credential: string) => `BULKHEAD-EGRESS/1 ${credential}\r\n`;

/**
 * Offers the egress proxy on a loopback port; a plain byte pipe. A name is looked up for each connection: proxies come and go.
 * @param credential what each connection begins with; absent where the socket says who it is
 */
export function startRelay(port: number, target: EgressTarget, logger: Logger, credential?: string): Server {
  const options: NetConnectOpts = { ...target, allowHalfOpen: true };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (inner: Socket) => {
    const outer = connect(options);
    if (credential !== undefined) outer.write(greeting(credential));
    join(inner, outer);
  });
  server.on("error", (error) => logger.error("the way out does not listen", { port, error }));
  server.maxConnections = maxConnections;
  server.listen(port, "127.0.0.1");
  return server;
}
