import type { Logger } from "#telemetry/logger.ts";
import { type Listener, makeListener, reconsider } from "./listener.ts";
import type { EgressDeps, EgressIdentity } from "./ports.ts";
import { listenTcp, makeOrigins, type TcpEgress, type TcpOptions } from "./tcp.ts";
import { makeWayOut, type WayOut } from "./way-out.ts";

export interface EgressListener {
  /** To be called when `identify` may answer differently: ends what is open and would not be let out now. */
  reconsider(): void;
  /** Stops listening, ends every connection of the instance and removes the socket. */
  close(): Promise<void>;
}

export interface EgressProxy {
  /** Opens the way out of all instances of a network on one port: address and credential of a connection are its identity. */
  listenTcp(options: TcpOptions): Promise<TcpEgress>;
  /**
   * Opens the way out of one instance. The socket is its identity: what comes through it comes from that instance, whatever
   * it says. `identify` is asked for each connection; undefined while the instance belongs to no sandbox.
   */
  listen(socketPath: string, instanceId: string, identify: () => EgressIdentity | undefined): Promise<EgressListener>;
}

/** The only way out: an HTTP forward proxy for CONNECT and absolute http:// requests, and SOCKS 5, on one port. */
export function makeEgressProxy(deps: EgressDeps): EgressProxy {
  const settings = { deniedPorts: [25], maxConnections: 256, connectMs: 10_000, idleMs: 600_000, ...deps.options };
  // Beyond the limit of open destinations: connections that ask for nothing cost memory too.
  const maxSockets = settings.maxConnections * 2;
  const { clock, logger } = deps;
  return {
    listen(socketPath, instanceId, identify) {
      const listener = makeListener(deps, settings, instanceId, identify);
      const wayOut = makeWayOut(logger, () => listener);
      wayOut.server.maxConnections = maxSockets;
      return listenOn(wayOut, socketPath, listener, logger);
    },
    listenTcp(options) {
      const tcp = { clock, logger, maxPerAddress: maxSockets };
      const origins = makeOrigins(tcp, options, (instanceId, identify) =>
        makeListener(deps, settings, instanceId, identify),
      );
      const wayOut = makeWayOut(
        logger,
        (socket) => origins.find(socket),
        options.credentials ? origins.greet : undefined,
      );
      return listenTcp(tcp, options, wayOut, origins);
    },
  };
}

function listenOn(wayOut: WayOut, socketPath: string, listener: Listener, logger: Logger): Promise<EgressListener> {
  const { server } = wayOut;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, () => {
      server.off("error", reject);
      server.on("error", (error) => logger.error("Egress listener failed", { error }));
      resolve({ reconsider: () => reconsider(listener), close: () => close(wayOut) });
    });
  });
}

function close({ server, endAll }: WayOut): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    endAll();
  });
}
