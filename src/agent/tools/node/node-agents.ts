import type { AgentOptions } from "node:http";
import type { Socket } from "node:net";
import { type Duplex, duplexPair, pipeline } from "node:stream";
import { type Door, type Goal, proxyFor } from "./proxy.ts";
import { openTunnel } from "./tunnel.ts";

type Created = (error: Error | null, socket?: Socket) => void;

/** How agents of node:http and node:https make their connections. */
export type CreateConnection = (
  this: AgentLike,
  options: ConnectionOptions,
  created?: Created,
) => Socket | null | undefined;

interface ConnectionOptions {
  readonly host?: string | null;
  readonly port?: number | string | null;
  readonly socketPath?: string | null;
  readonly socket?: Duplex;
  readonly timeout?: number;
}

/** What an agent is to this file. */
interface AgentLike {
  readonly createConnection: unknown;
  readonly options?: AgentOptions & { readonly proxyEnv?: unknown };
}

/**
 * `direct` for agents of `protocol`, through the proxy where there is one for what is to be reached.
 * @param own whether the agent has a `createConnection` of its own, which asks for this one
 */
export function throughProxy(direct: CreateConnection, protocol: Goal["protocol"]) {
  return function createConnection(this: AgentLike, own: boolean, ...[options, created]: Parameters<CreateConnection>) {
    const goal = goalOf(options, protocol);
    const proxy = goal === undefined || usesProxy(this) ? undefined : proxyFor(goal);
    if (goal === undefined || proxy === undefined) return direct.call(this, options, created);
    if (protocol === "https:" && (own || created === undefined)) {
      return atOnce(proxy, goal, (socket) => direct.call(this, { ...options, socket }));
    }
    if (created === undefined) return direct.call(this, options);
    openTunnel(proxy, goal, (error, socket) => {
      if (socket === undefined) created(error);
      else if (protocol === "https:") created(null, direct.call(this, { ...options, socket }) ?? undefined);
      else created(null, prepared(socket, options));
    });
    return undefined;
  };
}

/** For agents that cannot wait (agentkeepalive): TLS that begins before its way is open. It costs a copy of every byte. */
function atOnce(proxy: Door, goal: Goal, secure: (under: Duplex) => Socket | null | undefined) {
  const [under, end] = duplexPair();
  const made = secure(under);
  openTunnel(proxy, goal, (error, socket) => {
    if (socket === undefined) made?.destroy(error ?? undefined);
    else pipeline(end, socket, end, (failure) => failure && made?.destroy(failure));
  });
  return made;
}

function goalOf({ host, port, socket, socketPath }: ConnectionOptions, protocol: Goal["protocol"]): Goal | undefined {
  // A socket that exists or a Unix socket: nothing to open a way for.
  if (socket !== undefined || (socketPath ?? "") !== "") return undefined;
  return { protocol, host: host ?? "localhost", port: Number(port ?? (protocol === "https:" ? 443 : 80)) };
}

/** Node from 22.21 on has agents that use the proxy themselves. */
const usesProxy = ({ options }: AgentLike) => (options?.proxyEnv ?? null) !== null;

/** As net.connect would have made it. */
function prepared(socket: Socket, { timeout }: ConnectionOptions): Socket {
  socket.setNoDelay(true);
  return timeout === undefined ? socket : socket.setTimeout(timeout);
}
