import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Listener } from "./admit.ts";
import type { EgressIdentity } from "./ports.ts";

/** Whose address it is. */
export interface EgressSource {
  readonly instanceId: string;
  /** undefined: an instance that belongs to no sandbox. */
  readonly identity: EgressIdentity | undefined;
}

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  /** Whether instances can have this address; connections from any other are cut without a word. */
  readonly isInstanceHost: (address: string) => boolean;
  /** Asked for each request, before anything is done for it. undefined: nobody we know. */
  readonly identify: (address: string) => Promise<EgressSource | undefined>;
  /** Connections of all instances together; more are cut without a word. @default 8192 */
  readonly maxConnections?: number;
}

export interface TcpEgress {
  readonly port: number;
  /** Accepts nothing more, lets what is open go on for `graceMs`, then ends it. */
  close(graceMs: number): Promise<void>;
}

interface TcpDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Connections of one address, those that ask for nothing among them. */
  readonly maxPerAddress: number;
}

/** What an address has open, and what its instance may have. */
interface Origin {
  readonly sockets: Set<Socket>;
  readonly listeners: Map<string, Listener>;
}

export interface Origins {
  /** Takes a connection in, or cuts it. */
  accept(socket: Socket): void;
  /** @throws Error when it cannot be known who asks, or nobody asks any more */
  find(socket: Socket): Promise<Listener>;
  endAll(): void;
}

/**
 * The open connections by where they come from. An address that is used again has none left from before, because its network interface
 * was another one; and whose it is, is asked anew for each request.
 */
export function makeOrigins(
  { logger, maxPerAddress }: TcpDeps,
  options: TcpOptions,
  makeListener: (source: EgressSource) => Listener,
): Origins {
  const origins = new Map<string, Origin>();

  return {
    accept(socket) {
      const address = plain(socket.remoteAddress ?? "");
      if (!options.isInstanceHost(address)) {
        logger.warn("connection to the way out from elsewhere", { address });
        socket.destroy();
        return;
      }
      const origin = origins.get(address) ?? { sockets: new Set(), listeners: new Map() };
      if (origin.sockets.size >= maxPerAddress) {
        socket.destroy();
        return;
      }
      origins.set(address, origin);
      origin.sockets.add(socket);
      socket.once("close", () => {
        origin.sockets.delete(socket);
        if (origin.sockets.size === 0) origins.delete(address);
      });
    },
    async find(socket) {
      const address = plain(socket.remoteAddress ?? "");
      const source = (await options.identify(address)) ?? { instanceId: `address ${address}`, identity: undefined };
      const origin = origins.get(address);
      if (origin === undefined) throw new Error("the connection has ended");
      const key = JSON.stringify(source);
      const listener = origin.listeners.get(key) ?? makeListener(source);
      origin.listeners.set(key, listener);
      return listener;
    },
    endAll() {
      for (const { sockets } of origins.values()) for (const socket of sockets) socket.destroy();
    },
  };
}

/** Listens for all instances; a connection is its address's. */
export function listenTcp(
  { clock, logger }: TcpDeps,
  options: TcpOptions,
  server: Server,
  origins: Origins,
): Promise<TcpEgress> {
  // First, so that what is cut here is not read at all.
  server.prependListener("connection", (socket) => origins.accept(socket));
  server.maxConnections = options.maxConnections ?? 8192;
  let toldAt = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    // A flood of connections must not become a flood of lines.
    if (clock.now() - toldAt < 10_000) return;
    toldAt = clock.now();
    logger.warn("too many connections to the way out", { limit: server.maxConnections });
  });

  async function close(graceMs: number): Promise<void> {
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    // Connections become idle one by one as their last answers end.
    const endIdle = setInterval(() => server.closeIdleConnections(), 50);
    const timer = clock.after(graceMs, () => origins.endAll());
    await ended;
    clearInterval(endIdle);
    timer.cancel();
  }

  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      server.on("error", (error) => logger.error("egress listener failed", { error }));
      const address = server.address();
      resolve({ port: typeof address === "object" && address !== null ? address.port : options.port, close });
    });
  });
}

/** IPv4 as IPv4, also when a socket for both families says `::ffff:10.0.0.1`. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}
