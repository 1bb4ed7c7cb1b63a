import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { controlPrefix, portHeader } from "#contracts/agent-constants.ts";
import { agentErrorBody } from "#contracts/error-body.ts";
import { BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import { type Hide, hideInError, hideNothing } from "#contracts/hide-in.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "./clock.ts";
import type { RequestMetrics } from "./metrics/request-metrics.ts";
import { proxyRequest, proxyUpgrade } from "./port-proxy.ts";
import { makeAgentRequest, sendJson } from "./request.ts";
import type { Match, Router } from "./router.ts";
import type { SocketRoute } from "./socket.ts";
import type { SelfSigned } from "./tls/self-signed.ts";
import { makeSocketDispatch, type SocketDispatch } from "./ws/dispatch.ts";
import type { OpenSockets } from "./ws/open-sockets.ts";

export interface AgentServerOptions {
  readonly router: Router;
  /** Where each answered request is counted. */
  readonly requests: RequestMetrics;
  readonly sockets: readonly SocketRoute[];
  /** Where open WebSockets are counted. */
  readonly openSockets: OpenSockets;
  readonly logger: Logger;
  readonly clock: AgentClock;
  /** @default - plain HTTP */
  readonly tls?: SelfSigned;
  /** Called for each request, and each frame of a WebSocket, that counts as activity of the sandbox. */
  readonly onActivity: () => void;
  /** Takes values of secrets out of errors. @default - none are known */
  readonly hide?: Hide | undefined;
}

/** The caller's own request id when it is harmless, so that one id runs through gateway and agent. */
function requestIdOf(req: IncomingMessage): string {
  const given = req.headers["x-request-id"];
  if (typeof given === "string" && /^[\w.-]{1,64}$/.test(given)) return given;
  return `req_${randomBytes(10).toString("hex")}`;
}

/** /health is open to all and must not keep a sandbox alive; the control plane's own calls must not either. */
function isActivity(path: string): boolean {
  return path !== "/health" && !path.startsWith(controlPrefix);
}

async function dispatch(options: AgentServerOptions, req: IncomingMessage, res: ServerResponse, id: string) {
  const request = makeAgentRequest(req, res, id, options.hide);
  const port = req.headers[portHeader];
  if (port !== undefined) {
    options.onActivity();
    await proxyRequest(request, String(port), options.onActivity);
    return;
  }
  if (isActivity(request.path)) {
    options.onActivity();
    res.on("close", options.onActivity);
  }
  const match = options.router.match(req.method ?? "GET", request.path);
  count(options, req, res, match);
  if (match.kind === "none") throw new BulkheadError("RESOURCE_NOT_FOUND", `No such route: ${request.path}`);
  if (match.kind === "method") {
    res.setHeader("allow", match.allowed.join(", "));
    throw new BulkheadError("METHOD_NOT_ALLOWED", `${request.path} takes ${match.allowed.join(", ")}.`);
  }
  await match.route.handle(request);
}

/** Stands for an answer that did not get through to its end, as in nginx. */
const brokenOff = 499;

/** By the route's own pattern: paths that nobody serves are one. */
function count({ requests, clock }: AgentServerOptions, req: IncomingMessage, res: ServerResponse, match: Match): void {
  const began = clock.now();
  const route = match.kind === "route" ? match.route.path : "(none)";
  res.once("close", () => {
    const status = res.writableFinished ? res.statusCode : brokenOff;
    requests.note(`${req.method ?? "GET"} ${route}`, status, clock.now() - began);
  });
}

function answerError(
  options: AgentServerOptions,
  thrown: unknown,
  req: IncomingMessage,
  res: ServerResponse,
  id: string,
) {
  const error = toBulkheadError(thrown);
  if (error.code === "INTERNAL_ERROR") {
    options.logger.error("request failed", { request_id: id, method: req.method, path: req.url, error: thrown });
  }
  // A body that was begun cannot be mended; cutting it is how the caller learns.
  if (res.headersSent) {
    res.destroy();
    return;
  }
  req.resume();
  sendJson(res, error.status, errorBody(options, error, id));
}

function errorBody({ hide = hideNothing, clock }: AgentServerOptions, error: BulkheadError, id: string) {
  return agentErrorBody(hideInError(error, hide), { requestId: id, timestamp: toRfc3339(clock.now()) });
}

function refuseUpgrade(options: AgentServerOptions, thrown: unknown, socket: Duplex, id: string): void {
  const error = toBulkheadError(thrown);
  const body = JSON.stringify(errorBody(options, error, id));
  socket.end(
    `HTTP/1.1 ${error.status} Refused\r\ncontent-type: application/json\r\nx-request-id: ${id}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

async function upgrade(
  options: AgentServerOptions,
  openSocket: SocketDispatch,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const id = requestIdOf(req);
  socket.on("error", () => socket.destroy());
  options.onActivity();
  try {
    const port = req.headers[portHeader];
    if (port === undefined) openSocket({ req, connection: socket, head, id });
    else await proxyUpgrade(req, socket, head, String(port), options.onActivity);
  } catch (thrown) {
    refuseUpgrade(options, thrown, socket, id);
  }
}

/** The agent's HTTP server, not yet listening. */
export function makeAgentServer(options: AgentServerOptions): Server | TlsServer {
  const serve = (req: IncomingMessage, res: ServerResponse): void => {
    const id = requestIdOf(req);
    res.setHeader("x-request-id", id);
    req.on("error", () => {});
    res.on("error", () => {});
    dispatch(options, req, res, id).catch((thrown: unknown) => answerError(options, thrown, req, res, id));
  };
  const { tls, sockets: routes, openSockets, clock, logger, onActivity, hide = hideNothing } = options;
  const openSocket = makeSocketDispatch({ routes, openSockets, clock, logger, onActivity, hide });
  const server = tls === undefined ? createServer(serve) : createTlsServer({ ...tls, minVersion: "TLSv1.3" }, serve);
  server.on(
    "upgrade",
    (req: IncomingMessage, socket: Duplex, head: Buffer) => void upgrade(options, openSocket, req, socket, head),
  );
  // Uploads may take long. Connections outlive those of the gateway's pool, so that it never writes into a closing one.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 180_000;
  return server;
}
