import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A connection without any client: what is written goes out exactly so. */
export interface RawSocket {
  readonly socket: Socket;
  /** All that has come back so far. */
  text(): string;
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>;
}

export async function openRaw(origin: string): Promise<RawSocket> {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, "connect");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, text: () => text, closed };
}

/** Sends bytes and answers with all that came back until the other side closed, or for so long. */
export async function exchangeRaw(origin: string, bytes: string, withinMs = 5000): Promise<string> {
  const raw = await openRaw(origin);
  raw.socket.write(bytes, "latin1");
  const timer = setTimeout(() => raw.socket.destroy(), withinMs);
  await raw.closed;
  clearTimeout(timer);
  return raw.text();
}
