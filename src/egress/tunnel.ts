import type { Socket } from "node:net";
import type { EgressConnection } from "./connection.ts";
import { endsTls, judge } from "./intercept.ts";
import { join } from "./join.ts";
import type { Listener } from "./listener.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { firstBytes } from "./sniff/first-bytes.ts";
import { objection } from "./sniff/objection.ts";
import type { Visible } from "./visible/visible.ts";

/** A client that asked for a connection, in either of the two languages. */
export interface TunnelClient {
  readonly socket: Socket;
  /** What it sent along with its question. */
  readonly head: Buffer;
  established(): void;
  /** Before `established` only. */
  refuse(refused: Refusal): void;
}

/** Takes over a client whose requests can be seen. */
export type TakeVisible = (client: Socket, visible: Visible) => void;

/** Joins a client with what it asked for, once it is known what it carries. */
export async function tunnel(
  listener: Listener,
  connection: EgressConnection,
  client: TunnelClient,
  takeVisible: TakeVisible,
): Promise<void> {
  const { socket } = client;
  connection.onCut(() => socket.destroy());
  socket.once("close", () => connection.end());
  const ending = endsTls(listener.deps, connection.identity, connection.target);
  // Where TLS is ended here each request connects by itself.
  const server = ending ? null : await dialFor(connection, client);
  if (server === null && !ending) return;
  client.established();
  // Servers that speak first are heard at once, unless what the client says decides whether it may hear anything.
  const early = server !== null && judge(listener.deps, connection.identity.network, connection.target, "opaque").allow;
  const apart = server === null ? () => {} : join(listener, connection, socket, server);
  if (server !== null && early) server.pipe(socket);
  const first = await firstBytes(socket, client.head);
  if (first === null) return;
  const { bytes, sniffed } = first;
  const refused = objection(listener.deps, connection, sniffed, ending);
  if (refused !== null) {
    connection.cut(refused);
    return;
  }
  if (sniffed.kind === "http" || (sniffed.kind === "tls" && ending)) {
    server?.unpipe(socket).pause();
    apart();
    if (bytes.length > 0) socket.unshift(bytes);
    takeVisible(socket, { listener, connection, secure: sniffed.kind === "tls", spare: server });
    return;
  }
  connection.found(sniffed.kind === "tls" ? "tls" : "opaque");
  const to = server ?? (await dialFor(connection, client));
  if (to === null) return;
  if (server === null) join(listener, connection, socket, to);
  if (!early) to.pipe(socket);
  if (bytes.length > 0) to.write(bytes);
  socket.pipe(to);
}

async function dialFor(connection: EgressConnection, client: TunnelClient): Promise<Socket | null> {
  const { host, port } = connection.target;
  try {
    const server = await connection.dial();
    if (!client.socket.destroyed) return server;
    server.destroy();
    connection.end("the sandbox hung up before the connection stood");
    return null;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer in time";
    const refused = refusal(502, `${host}:${port} could not be connected to (${code})`);
    connection.end(refused.reason);
    client.refuse(refused);
    return null;
  }
}
