import { Agent, type AgentOptions, type ClientRequestArgs } from "node:http";
import { connect, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import type { Endpoint } from "#core/model.ts";

/** A request's way to an agent, as `request` and the pool below take it. */
export interface AgentTarget extends ClientRequestArgs {
  /** SHA-256 of the certificate that the agent must show, lower-case hex; absent: plain. */
  readonly fingerprint?: string;
}

export function targetOf(endpoint: Endpoint): AgentTarget {
  if (endpoint.kind === "unix") return { socketPath: endpoint.path };
  const { host, port, fingerprint } = endpoint;
  return { host, port, ...(fingerprint !== undefined && { fingerprint }) };
}

const connectMs = 10_000;

/**
 * Connections to agents. Nobody signs an agent's certificate: the fingerprint that the bridge saw first takes the place of the chain, and
 * no byte of a request is sent before it was compared. Addresses are used again, so a kept connection serves one fingerprint only.
 */
export class AgentConnections extends Agent {
  readonly #allowed: (host: string) => boolean;

  /** @param allowed which hosts agents may have: a record that says otherwise is not believed */
  constructor(options: AgentOptions, allowed: (host: string) => boolean) {
    super(options);
    this.#allowed = allowed;
  }

  override getName(options: AgentTarget = {}): string {
    return `${super.getName(options)}:${options.fingerprint ?? ""}`;
  }

  /** The socket comes by the callback only, when it is ready. */
  override createConnection(options: AgentTarget, callback?: (error: Error | null, socket: Socket) => void): undefined {
    const settled = { done: false };
    const socket = this.#open(options);
    const settle = (error: Error | null) => {
      if (settled.done) return;
      settled.done = true;
      socket.setTimeout(0);
      callback?.(error, socket);
      if (error !== null) socket.destroy();
    };
    socket.setTimeout(connectMs, () => settle(new Error("no connection in time")));
    // Stays for the life of the socket: an error after the request has gone must not end the process.
    socket.on("error", (error) => settle(error));
    socket.once("close", () => settle(new Error("connection closed")));
    const { fingerprint } = options;
    if (fingerprint === undefined) socket.once("connect", () => settle(null));
    else socket.once("secureConnect", () => settle(objection(socket, fingerprint)));
    return undefined;
  }

  #open({ socketPath, host, port, fingerprint }: AgentTarget): Socket {
    if (socketPath != null) return connect({ path: socketPath });
    const address = host ?? "";
    if (!this.#allowed(address)) return refused(address);
    const to = { host: address, port: Number(port) };
    return fingerprint === undefined
      ? connect(to)
      : connectTls({ ...to, rejectUnauthorized: false, minVersion: "TLSv1.3" });
  }
}

/** A socket that fails before it is used. */
function refused(host: string): Socket {
  const socket = connect({ path: "/nonexistent" });
  socket.destroy(new Error(`${host} is no address of an agent`));
  return socket;
}

function objection(socket: Socket, expected: string): Error | null {
  if (!(socket instanceof TLSSocket)) return new Error("no certificate");
  // An empty object when there is none, whatever the types say.
  const certificate: { readonly fingerprint256?: string } = socket.getPeerCertificate();
  const seen = certificate.fingerprint256?.replaceAll(":", "").toLowerCase();
  return seen === expected ? null : new Error("another certificate than the agent's");
}
