import { type IncomingMessage, request, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream";
import { messageOf, type Refusal, refusal } from "../refusal.ts";
import { asItIs, hidden, without } from "./answer.ts";
import { type Prepared, prepare } from "./prepare.ts";
import type { Seen } from "./visible.ts";
import { whereTo } from "./where.ts";

/** Passes a WebSocket, or another protocol that HTTP changes to, on: its opening request is judged as any other, then bytes flow. */
export async function passUpgrade(seen: Seen, req: IncomingMessage, client: Socket, head: Buffer): Promise<void> {
  const url = whereTo(seen, req);
  const prepared = url instanceof URL ? await prepare(seen, req, url) : url;
  if ("status" in prepared) {
    seen.connection.refuse(req.method ?? "", prepared);
    answer(client, prepared);
    return;
  }
  seen.connection.request(req.method ?? "", prepared.secrets);
  const upstream = request({
    agent: seen.upstream.agent,
    host: seen.connection.target.host,
    port: seen.connection.target.port,
    method: req.method,
    path: prepared.target,
    headers: [...changing(prepared), "Connection", "Upgrade", "Upgrade", req.headers.upgrade ?? "websocket"],
    setHost: false,
  });
  client.once("close", () => upstream.destroy());
  upstream.on("error", () => answer(client, refusal(502, "the server broke the connection, or could not be reached")));
  upstream.once("response", (refused) => stay(prepared, req, client, refused));
  upstream.once("upgrade", (changed, server: Socket, first: Buffer) => {
    const { reason, headers } = prepared.hider === null ? asItIs(changed) : hidden(prepared.hider, req, changed);
    const upgrade = ["Connection", "Upgrade", "Upgrade", changed.headers.upgrade ?? "websocket"];
    client.write(headOf(changed.statusCode ?? 101, reason, [...headers, ...upgrade]));
    if (head.length > 0) server.write(head);
    server.once("close", () => client.end());
    client.once("close", () => server.destroy());
    if (first.length > 0) server.unshift(first);
    pipeline([server, ...(prepared.hider === null ? [] : [prepared.hider.guard()]), client], () => client.destroy());
    client.pipe(server);
  });
  upstream.end();
}

/** What went out with a value is watched on its way back, and compressed frames could not be. */
function changing({ headers, hider }: Prepared): string[] {
  return without(headers, hider === null ? ["connection"] : ["connection", "sec-websocket-extensions"]);
}

/** The server stays with HTTP: its answer ends the connection. */
function stay(prepared: Prepared, req: IncomingMessage, client: Socket, refused: IncomingMessage): void {
  const { body, reason, headers } = prepared.hider === null ? asItIs(refused) : hidden(prepared.hider, req, refused);
  if (body === null) {
    refused.destroy();
    client.destroy();
    return;
  }
  client.write(
    headOf(refused.statusCode ?? 502, reason, [...without(headers, ["content-length"]), "Connection", "close"]),
  );
  pipeline([refused, ...body, client], () => client.end());
}

function headOf(statusCode: number, statusMessage: string | undefined, headers: readonly string[]): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage ?? STATUS_CODES[statusCode] ?? ""}`];
  for (let index = 0; index + 1 < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function answer(client: Socket, refused: Refusal): void {
  if (!client.writable) return;
  const body = `${messageOf(refused)}\n`;
  client.end(
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status] ?? "Refused"}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
