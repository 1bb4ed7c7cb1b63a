import { Agent, type ClientRequestArgs } from "node:http";
import { Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import type { EgressDeps } from "../ports.ts";
import type { Visible } from "./visible.ts";

/** The way of one connection to its server: requests that follow each other use one socket. */
export interface Upstream {
  readonly agent: PinnedAgent;
  close(): void;
}

export function makeUpstream(visible: Visible): Upstream {
  const agent = new PinnedAgent(visible);
  return {
    agent,
    close() {
      agent.destroy();
      visible.spare?.destroy();
    },
  };
}

/** Connects to the addresses that were checked and nowhere else, whatever a request says. */
export class PinnedAgent extends Agent {
  readonly #visible: Visible;
  #spare: Socket | null;

  constructor(visible: Visible) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#visible = visible;
    this.#spare = visible.spare;
  }

  /** The socket comes by the callback only, when it is ready. */
  override createConnection(
    _options: ClientRequestArgs,
    connected?: (error: Error | null, socket: Socket) => void,
  ): undefined {
    this.#connect().then(
      (socket) => {
        connected?.(null, socket);
        // One that was piped before stands still; whoever has it now listens from the next turn on.
        setImmediate(() => socket.resume());
      },
      (error: unknown) => connected?.(error instanceof Error ? error : new Error("no connection"), new Socket()),
    );
    return undefined;
  }

  async #connect(): Promise<Socket> {
    const { connection, listener, secure } = this.#visible;
    const spare = this.#spare;
    this.#spare = null;
    const socket = spare?.destroyed === false ? spare : await connection.dial();
    socket.setTimeout(listener.settings.idleMs, () => socket.destroy());
    return secure ? secured(listener.deps, socket, connection.target.host) : socket;
  }
}

function secured(deps: EgressDeps, socket: Socket, servername: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({ socket, servername, ALPNProtocols: ["http/1.1"], secureContext: trust(deps) });
    tls.once("error", reject);
    tls.once("secureConnect", () => {
      tls.off("error", reject);
      resolve(tls);
    });
  });
}

const contexts = new WeakMap<EgressDeps, SecureContext>();

/** Made once: reading a hundred roots takes milliseconds. */
function trust(deps: EgressDeps): SecureContext {
  const context =
    contexts.get(deps) ??
    createSecureContext({ minVersion: "TLSv1.2", ...(deps.trusted !== undefined && { ca: [...deps.trusted] }) });
  contexts.set(deps, context);
  return context;
}
