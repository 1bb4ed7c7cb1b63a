import type { IncomingMessage } from "node:http";
import { admit } from "./admit.ts";
import { parseAuthority } from "./destination.ts";
import type { Listener } from "./listener.ts";
import { messageOf, type Refusal } from "./refusal.ts";
import { type TakeVisible, tunnel } from "./tunnel.ts";

/** Answers `CONNECT host:port`. */
export async function serveConnect(
  listener: Listener,
  req: IncomingMessage,
  head: Buffer,
  takeVisible: TakeVisible,
): Promise<void> {
  const { socket } = req;
  const admitted = await admit(listener, { protocol: "connect", parsed: parseAuthority(req.url ?? ""), request: null });
  const refuse = (refused: Refusal) => {
    const body = `${messageOf(refused)}\n`;
    socket.resume();
    socket.end(
      `HTTP/1.1 ${refused.status} ${statusText(refused)}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  };
  if ("refused" in admitted) {
    refuse(admitted.refused);
    return;
  }
  const established = () => void socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
  await tunnel(listener, admitted.connection, { socket, head, established, refuse }, takeVisible);
}

/** Most clients show nothing but this line of an answer to CONNECT, so the reason stands here too. */
function statusText(refused: Refusal): string {
  return messageOf(refused)
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, 200);
}
