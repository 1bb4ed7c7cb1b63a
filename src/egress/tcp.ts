import type { Server } from "node:http";
import { createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
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
  /** Asked for each connection, before a byte of it is read. undefined: nobody we know. */
  readonly identify: (address: string) => Promise<EgressSource | undefined>;
}

export interface TcpEgress {
  readonly port: number;
  /** Accepts nothing more, lets what is open go on for `graceMs`, then ends it. */
  close(graceMs: number): Promise<void>;
}

/** The proxy of one instance: connections are handed to `server`. */
export interface WayOut {
  readonly server: Server;
  readonly tunnels: Set<Duplex>;
}

interface Source {
  readonly wayOut: WayOut;
  open: number;
}

interface TcpDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Listens for all instances. A connection belongs to the sandbox that its address had when it came: an address that is used again has
 * no open connections left from before, because its network interface was another one.
 */
export function listenTcp(
  { clock, logger }: TcpDeps,
  options: TcpOptions,
  makeWayOut: (instanceId: string, identity: EgressIdentity | undefined) => WayOut,
): Promise<TcpEgress> {
  const sources = new Map<string, Source>();
  const sockets = new Set<Socket>();

  /** One proxy per instance and identity, as long as it has connections: limits count over all of them. */
  function sourceOf(address: string, found: EgressSource | undefined): Source {
    const instanceId = found?.instanceId ?? `address ${address}`;
    const key = `${instanceId} ${found?.identity?.sandboxId ?? ""}`;
    const known = sources.get(key);
    if (known !== undefined) return known;
    const source = { wayOut: makeWayOut(instanceId, found?.identity), open: 0 };
    sources.set(key, source);
    return source;
  }

  async function accept(socket: Socket): Promise<void> {
    const address = plain(socket.remoteAddress ?? "");
    if (!options.isInstanceHost(address)) {
      logger.warn("connection to the way out from elsewhere", { address });
      socket.destroy();
      return;
    }
    const found = await options.identify(address);
    if (socket.destroyed) return;
    const source = sourceOf(address, found);
    source.open += 1;
    socket.once("close", () => {
      source.open -= 1;
      if (source.open > 0) return;
      for (const [key, one] of sources) if (one === source) sources.delete(key);
    });
    source.wayOut.server.emit("connection", socket);
    socket.resume();
  }

  const server = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    accept(socket).catch((error: unknown) => {
      // Who cannot be told apart gets nothing.
      logger.error("source of a connection not found", { error });
      socket.destroy();
    });
  });

  async function close(graceMs: number): Promise<void> {
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    const endIdle = setInterval(() => {
      for (const { wayOut } of sources.values()) if (wayOut.tunnels.size === 0) wayOut.server.closeIdleConnections();
    }, 100);
    const timer = clock.after(graceMs, () => {
      for (const socket of sockets) socket.destroy();
    });
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
