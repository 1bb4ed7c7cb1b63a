import { type Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { brokenRequest } from "#contracts/broken-request.ts";
import { BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import { makeRequestId } from "#contracts/ids.ts";
import { type AccessRules, type Admission, makeAccessRules } from "./access.ts";
import { type ActivityReporter, makeActivityReporter } from "./activity.ts";
import { AgentConnections } from "./agent-connections.ts";
import { type Asking, type AuditEntry, makeGatewayAudit } from "./audit/record.ts";
import { type Credential, readCredential, tokenCookie, withoutQueryToken } from "./credentials.ts";
import { type CachedDirectory, makeCachedDirectory } from "./directory-cache.ts";
import { attempt } from "./forward.ts";
import { hasBody } from "./headers.ts";
import { nearEnd } from "./near-end.ts";
import type { GatewayDeps, GatewayOptions } from "./ports.ts";
import { reach } from "./reach.ts";
import { makeRecheck, type Recheck } from "./recheck.ts";
import { dropRest, refuse, refuseUpgrade } from "./refusal.ts";
import { parseRoute, type Route } from "./route.ts";
import { sourceAddress } from "./source-address.ts";
import { attemptUpgrade, type Tunnel } from "./upgrade.ts";

export interface Gateway {
  /** Not listening yet: the composition root calls `listen`. */
  readonly server: Server;
  /** Drops what is cached of a sandbox; call it when its record changed. */
  forget(sandboxId: string): void;
  /** Stops accepting, ends idle connections, gives open exchanges `graceMs` (5000 by default) and cuts the rest. */
  close(graceMs?: number): Promise<void>;
}

/** Everything the handlers share. */
interface Workshop extends GatewayDeps {
  readonly settings: Required<Omit<GatewayOptions, Optional>> & {
    readonly [name in Optional]: GatewayOptions[name] | undefined;
  };
  readonly cached: CachedDirectory;
  readonly access: AccessRules;
  readonly reporter: ActivityReporter;
  readonly agents: Agent;
  /** Connections of WebSockets are never kept. */
  readonly upgrades: Agent;
  readonly tunnels: Set<Tunnel>;
  readonly record: (asking: Asking) => AuditEntry;
  readonly recheck: Recheck;
}

type Optional = "domain" | "callersSpeak" | "forwardedHops";

const socketBuffer = 256 * 1024;

/** The only way in: finds the sandbox, checks the caller, passes HTTP and WebSockets through. */
export function makeGateway(deps: GatewayDeps): Gateway {
  const shop = makeWorkshop(deps);
  const server = createServer(
    {
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      // Idle between two requests. Requests themselves have no deadline here: the agent keeps them.
      keepAliveTimeout: shop.settings.keepIdleMs,
      headersTimeout: 20_000,
      connectionsCheckingInterval: 2000,
      requestTimeout: 0,
      highWaterMark: socketBuffer,
    },
    (req, res) => void serve(shop, req, res),
  );
  server.on(
    "upgrade",
    (req: IncomingMessage, socket: Duplex, head: Buffer) => void serveUpgrade(shop, req, socket, head),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuseBroken(shop, error, socket));
  return {
    server,
    forget: (sandboxId) => shop.cached.forget(sandboxId),
    close: (graceMs = 5000) => close(shop, server, graceMs),
  };
}

function makeWorkshop(deps: GatewayDeps): Workshop {
  const settings = {
    trustForwarded: false,
    keepIdleMs: 75_000,
    holdMs: 60_000,
    cacheMs: 1000,
    touchEveryMs: 15_000,
    uploadStallMs: 300_000,
    settleMs: 2000,
    isAgentHost: () => true,
    callersSpeak: undefined,
    forwardedHops: undefined,
    auditContent: false,
    recheckMs: 2000,
    ...deps.options,
    domain: deps.options?.domain?.toLowerCase(),
  };
  const cached = makeCachedDirectory(deps.directory, deps.clock, settings.cacheMs);
  return {
    ...deps,
    settings,
    cached,
    access: makeAccessRules(deps, cached, settings.holdMs),
    reporter: makeActivityReporter(
      { sink: deps.activity, clock: deps.clock, logger: deps.logger },
      settings.touchEveryMs,
    ),
    agents: new AgentConnections({ keepAlive: true, maxFreeSockets: 16, scheduling: "lifo" }, settings.isAgentHost),
    upgrades: new AgentConnections({ keepAlive: false }, settings.isAgentHost),
    tunnels: new Set(),
    recheck: makeRecheck(deps.clock, settings.recheckMs),
    record: makeGatewayAudit({
      audit: deps.audit ?? { note: () => undefined },
      clock: deps.clock,
      content: settings.auditContent,
    }),
  };
}

async function close(shop: Workshop, server: Server, graceMs: number): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  // Connections become idle one by one as their last answers end.
  const endIdle = setInterval(() => server.closeIdleConnections(), 50);
  const timer = shop.clock.after(graceMs, () => {
    for (const tunnel of shop.tunnels) tunnel.destroy();
    server.closeAllConnections();
  });
  await ended;
  await Promise.all([...shop.tunnels].map((tunnel) => tunnel.closed));
  clearInterval(endIdle);
  timer.cancel();
  shop.reporter.stop();
  shop.recheck.stop();
  shop.agents.destroy();
  shop.upgrades.destroy();
}

/** One request's way to its sandbox, before anything is sent there. */
interface Admitted {
  readonly route: Route;
  readonly credential: Credential | undefined;
  readonly admission: Admission;
  readonly cookie: string | null;
}

async function admit(shop: Workshop, req: IncomingMessage, entry: AuditEntry): Promise<Admitted> {
  const route = parseRoute(req.headers.host, req.url ?? "", shop.settings.domain);
  entry.routed(route);
  const credential = readCredential(route, req.headers);
  const admission = await shop.access.admit(route, credential, entry.seen);
  entry.found(admission.sandboxId);
  if (admission.authorised) shop.reporter.touch(admission.sandboxId);
  if (credential?.kind !== "token" || credential.from !== "query" || route.kind !== "preview") {
    return { route, credential, admission, cookie: null };
  }
  const cookie = cookieFor(shop, req, route, credential, admission);
  return { route: { ...route, path: withoutQueryToken(route.path) }, credential, admission, cookie };
}

function cookieFor(
  shop: Workshop,
  req: IncomingMessage,
  route: Route & { kind: "preview" },
  credential: Credential & { kind: "token" },
  admission: Admission,
): string {
  const secondsLeft = Math.floor(((admission.claims?.expiresAt ?? 0) - shop.clock.now()) / 1000);
  const { trustForwarded, callersSpeak } = shop.settings;
  const spoken = callersSpeak ?? (trustForwarded ? req.headers["x-forwarded-proto"] : undefined);
  return tokenCookie(credential.token, route.prefix, secondsLeft, spoken === "https");
}

async function serve(shop: Workshop, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const requestId = requestIdOf(shop, req);
  const startedAt = shop.clock.now();
  const entry = shop.record(askingOf(shop, req, requestId));
  // A connection that breaks is seen by its close; without a listener its error would end the process.
  req.on("error", () => {});
  res.on("error", () => {});
  try {
    if (isOwnHealth(shop, req)) {
      answerHealth(req, res, requestId, shop);
      return;
    }
    const admitted = await admit(shop, req, entry);
    const { route, admission, cookie } = admitted;
    const { trustForwarded, callersSpeak } = shop.settings;
    const exchange = { req, res, route, requestId, cookie, trustForwarded, callersSpeak, watch: entry.watch };
    const asked = { sandboxId: admission.sandboxId, route, looks: admission.looks };
    if (admission.authorised) {
      watchExchange(shop, admission.sandboxId, req, res);
      res.once(
        "close",
        hold(shop, admitted, () => res.destroy()),
      );
    }
    const gone = () => res.closed || req.socket.destroyed;
    const result = await reach(reachDeps(shop), asked, gone, (target) =>
      attempt(shop.agents, target.endpoint, { ...exchange, endsAt: nearEnd(target, shop.clock) }, shop.clock),
    );
    const status = result.outcome === "answered" ? result.status : null;
    if (admission.authorised) entry.answered(status);
    const facts = {
      requestId,
      sandboxId: admission.sandboxId,
      method: req.method,
      status,
      ms: shop.clock.now() - startedAt,
    };
    shop.logger.debug("Passed", facts);
  } catch (thrown) {
    const error = logRefusal(shop, req, requestId, thrown);
    entry.refused(error);
    if (res.headersSent) res.destroy();
    else if (!res.closed) refuse(req, res, error, requestId, shop.clock);
  }
}

async function serveUpgrade(shop: Workshop, req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const requestId = requestIdOf(shop, req);
  const entry = shop.record(askingOf(shop, req, requestId));
  socket.on("error", () => socket.destroy());
  try {
    if (req.headers.upgrade?.toLowerCase() !== "websocket") {
      throw new BulkheadError(
        "INVALID_REQUEST",
        "Only WebSocket upgrades are passed through. Send the request without Upgrade.",
      );
    }
    const admitted = await admit(shop, req, entry);
    const { route, admission, cookie } = admitted;
    const { trustForwarded, callersSpeak } = shop.settings;
    const watch = entry.watchSocket;
    const exchange = { req, socket, head, route, requestId, cookie, trustForwarded, callersSpeak, watch };
    const result = await reach(
      reachDeps(shop),
      { sandboxId: admission.sandboxId, route },
      () => socket.closed,
      async (target) => {
        const answering = { ...exchange, endsAt: nearEnd(target, shop.clock) };
        const outcome = await attemptUpgrade(shop.upgrades, target.endpoint, answering, shop.clock);
        return outcome.outcome === "failed" ? { ...outcome, repeatable: true } : outcome;
      },
    );
    shop.logger.debug("Upgraded", { requestId, sandboxId: admission.sandboxId, outcome: result.outcome });
    if (result.outcome === "open") entry.answered(101);
    else if (result.outcome === "refused") entry.answered(result.status);
    if (result.outcome === "open") {
      const { tunnel } = result;
      watchTunnel(shop, admission.sandboxId, tunnel);
      const leave = hold(shop, admitted, (error) => tunnel.end(error.status === 410 ? 4410 : 4401, error.message));
      void tunnel.closed.then(leave);
    }
  } catch (thrown) {
    const error = logRefusal(shop, req, requestId, thrown);
    entry.refused(error);
    if (!socket.closed) refuseUpgrade(socket, error, requestId, shop.clock);
  }
}

/** What stays open is cut when its credential would be refused: a key or its token revoked, a sandbox's generation raised. */
function hold(
  shop: Workshop,
  { route, credential, admission }: Admitted,
  cut: (error: BulkheadError) => void,
): () => void {
  const shown = credential === undefined ? "" : credential.kind === "key" ? credential.key : credential.token;
  const named = route.kind === "root" ? "" : route.sandboxId;
  const looking = admission.looks === true;
  return shop.recheck.hold({
    group: `${named} ${shown} ${looking}`,
    check: () => shop.access.admit(route, credential, looking ? { method: "GET" } : {}),
    cut,
  });
}

function reachDeps(shop: Workshop): Parameters<typeof reach>[0] {
  return { access: shop.access, directory: shop.cached, clock: shop.clock, settleMs: shop.settings.settleMs };
}

/** An open request is use, unless its sender has stalled in the middle of the body; past `uploadStallMs` it is cut. */
function watchExchange(shop: Workshop, sandboxId: string, req: IncomingMessage, res: ServerResponse): void {
  let seenBytes = -1;
  let movedAt = shop.clock.now();
  const leave = shop.reporter.open({
    sandboxId,
    wasActive() {
      const bytes = req.socket.bytesRead;
      if (bytes !== seenBytes || req.complete || !hasBody(req)) {
        seenBytes = bytes;
        movedAt = shop.clock.now();
        return true;
      }
      if (shop.clock.now() - movedAt >= shop.settings.uploadStallMs) req.socket.destroy();
      return false;
    },
  });
  res.once("close", leave);
}

function watchTunnel(shop: Workshop, sandboxId: string, tunnel: Tunnel): void {
  shop.tunnels.add(tunnel);
  const leave = shop.reporter.open({ sandboxId, wasActive: () => tunnel.takeSawData() });
  void tunnel.closed.then(() => {
    leave();
    shop.tunnels.delete(tunnel);
  });
}

function askingOf(shop: Workshop, req: IncomingMessage, requestId: string): Asking {
  const { trustForwarded, forwardedHops = trustForwarded ? 1 : 0 } = shop.settings;
  const sourceIp = sourceAddress(req, forwardedHops);
  return { requestId, sourceIp, method: req.method ?? "", seen: { sourceIp, method: req.method ?? "" } };
}

const requestIdShape = /^[\w.:-]{1,128}$/;

function requestIdOf(shop: Workshop, req: IncomingMessage): string {
  const given = req.headers["x-request-id"];
  return typeof given === "string" && requestIdShape.test(given) ? given : makeRequestId(shop.clock);
}

function isOwnHealth(shop: Workshop, req: IncomingMessage): boolean {
  if (req.url !== "/health" || (req.method !== "GET" && req.method !== "HEAD")) return false;
  if (req.headers.authorization !== undefined || req.headers["x-api-key"] !== undefined) return false;
  return parseRoute(req.headers.host, req.url, shop.settings.domain).kind === "root";
}

function answerHealth(req: IncomingMessage, res: ServerResponse, requestId: string, shop: Workshop): void {
  const body = '{"status":"healthy"}';
  res.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length, "X-Request-ID": requestId });
  res.end(req.method === "HEAD" ? undefined : body);
  dropRest(req, shop.clock);
}

/** One line for each request that was not passed on. The path is left out: it may carry a token. */
function logRefusal(shop: Workshop, req: IncomingMessage, requestId: string, thrown: unknown): BulkheadError {
  const error = toBulkheadError(thrown);
  if (error.status === 401) shop.metrics?.count("RefusedAuth");
  const facts = { requestId, method: req.method, code: error.code, status: error.status, ...error.details };
  if (error.code === "INTERNAL_ERROR") shop.logger.error("Request failed", { ...facts, error });
  else shop.logger.info("Request refused", { ...facts, reason: error.message });
  return error;
}

/** What Node's parser refused: there is no request to answer, only a connection. */
function refuseBroken(shop: Workshop, error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = makeRequestId(shop.clock);
  shop.logger.info("Request refused", { requestId, reason: error.code });
  refuseUpgrade(socket, brokenRequest(error.code), requestId, shop.clock);
}
