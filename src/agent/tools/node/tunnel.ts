import { request } from "node:http";
import type { Socket } from "node:net";
import { authorityOf, type Door, type Goal } from "./proxy.ts";

/** What a proxy says besides its status is a sentence, not a page. */
const longestReason = 4_096;

/** @param error says in the proxy's own words why the way is closed */
type Opened = (error: Error | null, socket?: Socket) => void;

/** Opens a way through the proxy (HTTP CONNECT); `opened` is called once. */
export function openTunnel(proxy: Door, goal: Pick<Goal, "host" | "port">, opened: Opened): void {
  const path = authorityOf(goal);
  const options = { ...proxy, method: "CONNECT", path, headers: { Host: path }, agent: false } as const;
  const asked = request(options);
  const onError = (error: Error) =>
    opened(refused(`The proxy ${proxy.host}:${proxy.port} cannot be used: ${error.message}`));
  asked.once("error", onError);
  asked.once("connect", (answer, socket: Socket, head) => {
    asked.off("error", onError);
    if (answer.statusCode === 200) {
      if (head.length > 0) socket.unshift(head);
      opened(null, socket);
      return;
    }
    const status = `${answer.statusCode ?? 0} ${answer.statusMessage ?? ""}`.trim();
    readReason(socket, head, (reason) =>
      opened(refused(reason === "" ? `The proxy answers ${status} for ${path}.` : reason)),
    );
  });
  asked.end();
}

function refused(message: string): Error {
  // Not ECONNREFUSED: programs would try again what stays refused.
  return Object.assign(new Error(message), { code: "EACCES" });
}

function readReason(socket: Socket, head: Buffer, done: (reason: string) => void): void {
  let text = head.toString("utf8");
  const end = () => {
    socket.destroy();
    done(text.slice(0, longestReason).trim());
  };
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    text += chunk;
    if (text.length > longestReason) socket.destroy();
  });
  // A reason that is cut off is one, too.
  socket.on("error", () => {});
  socket.once("close", end);
  socket.once("end", () => socket.destroy());
  socket.setTimeout(5_000, () => socket.destroy());
}
