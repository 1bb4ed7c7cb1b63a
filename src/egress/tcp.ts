import type { Socket } from "node:net";
import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { readGreeting } from "./greeting.ts";
import { type Listener, reconsider } from "./listener.ts";
import type { EgressIdentity } from "./ports.ts";
import type { WayOut } from "./way-out.ts";

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
  /**
   * Asked for each request, before anything is done for it, and each second while something is open. undefined: nobody we know.
   * @param credential what the connection began with; null where none is asked for
   */
  readonly identify: (address: string, credential: string | null) => Promise<EgressSource | undefined>;
  /** Whether each connection begins with a credential (greeting.ts). @default false */
  readonly credentials?: boolean;
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

/** One instance at an address, as it was last known. */
interface Known {
  readonly listener: Listener;
  identity: EgressIdentity | undefined;
  readonly credential: string | null;
}

/** What an address has open, and what its instance may have. */
interface Origin {
  readonly sockets: Set<Socket>;
  readonly known: Map<string, Known>;
}

export interface Origins {
  /** Takes a connection in, or cuts it. */
  accept(socket: Socket): void;
  /** @throws Error when it cannot be known who asks, or nobody asks any more */
  find(socket: Socket): Promise<Listener>;
  /** Reads a connection's credential. false: it has none. */
  readonly greet: (socket: Socket) => Promise<boolean>;
  /** Asks again whose everything open is, and ends what would not be let out now. */
  reconsider(): Promise<void>;
}

/**
 * The open connections by where they come from. An address that is used again has none left from before, because its network interface
 * was another one; and whose it is, is asked anew for each request.
 */
export function makeOrigins(
  { logger, maxPerAddress }: TcpDeps,
  options: TcpOptions,
  makeListener: (instanceId: string, identify: Listener["identify"]) => Listener,
): Origins {
  const origins = new Map<string, Origin>();
  const credentials = new WeakMap<Socket, string>();

  async function refresh(address: string, known: Known): Promise<void> {
    try {
      const source = await options.identify(address, known.credential);
      known.identity = source?.instanceId === known.listener.instanceId ? source.identity : undefined;
      reconsider(known.listener);
    } catch (error) {
      // What is open was let out once. New connections fail by themselves.
      logger.warn("open connections could not be reconsidered", { address, error });
    }
  }

  return {
    accept(socket) {
      const address = plain(socket.remoteAddress ?? "");
      if (!options.isInstanceHost(address)) {
        logger.warn("connection to the way out from elsewhere", { address });
        socket.destroy();
        return;
      }
      const origin = origins.get(address) ?? { sockets: new Set<Socket>(), known: new Map<string, Known>() };
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
      const credential = credentials.get(socket) ?? null;
      const source = (await options.identify(address, credential)) ?? {
        instanceId: `address ${address}`,
        identity: undefined,
      };
      const origin = origins.get(address);
      if (origin === undefined) throw new Error("the connection has ended");
      const before = origin.known.get(source.instanceId);
      if (before !== undefined) {
        before.identity = source.identity;
        return before.listener;
      }
      const known: Known = {
        listener: makeListener(source.instanceId, () => known.identity),
        identity: source.identity,
        credential,
      };
      origin.known.set(source.instanceId, known);
      return known.listener;
    },
    greet: async (socket) => {
      const credential = await readGreeting(socket);
      if (credential !== null) credentials.set(socket, credential);
      return credential !== null;
    },
    async reconsider() {
      const busy = [...origins].flatMap(([address, { known }]) =>
        [...known.values()].filter(({ listener }) => listener.open.size > 0).map((one) => refresh(address, one)),
      );
      await Promise.all(busy);
    },
  };
}

/** How soon an open connection ends that a new policy refuses. */
const reconsiderEveryMs = 1_000;

/** Listens for all instances; a connection is its address's. */
export function listenTcp(
  { clock, logger }: TcpDeps,
  options: TcpOptions,
  { server, closeIdle, endAll }: WayOut,
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

  let closed = false;
  const again = (): void => {
    clock.after(reconsiderEveryMs, () => {
      if (!closed) void origins.reconsider().finally(again);
    });
  };
  again();

  async function close(graceMs: number): Promise<void> {
    closed = true;
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    // Connections become idle one by one as their last answers end.
    const endIdle = setInterval(() => closeIdle(), 50);
    const timer = clock.after(graceMs, endAll);
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
