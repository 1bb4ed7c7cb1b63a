import type { Socket } from "node:net";
import { toBulkheadError } from "#contracts/errors.ts";
import type { Destination, Parsed } from "./destination.ts";
import { dial, within } from "./dial.ts";
import type { EgressDecision, EgressDeps, EgressIdentity, EgressOptions } from "./ports.ts";

/** One listener's view of the world: whose it is and how much is open. */
export interface Listener {
  readonly instanceId: string;
  readonly identify: () => EgressIdentity | undefined;
  readonly deps: EgressDeps;
  readonly settings: Required<EgressOptions>;
  openConnections: number;
}

export type Admitted =
  | { readonly socket: Socket; readonly destination: Destination; readonly log: OpenLog }
  /** `status` and `message` for the sandbox's code. Already logged. */
  | { readonly status: number; readonly message: string };

/** Writes the one line of a connection. Only the first call counts. */
export type OpenLog = (reason?: string) => void;

/**
 * Identity, port, name, policy, connection, in this order: nothing leaves the host, not even a question to a name server,
 * for a sandbox that may not go out.
 */
export async function admit(listener: Listener, method: "CONNECT" | "http", parsed: Parsed): Promise<Admitted> {
  const at = listener.deps.clock.now();
  const identity = listener.identify();
  const refuse = (status: number, reason: string): Admitted => {
    record(listener, { at, method, parsed, identity, reason });
    return { status, message: `Bulkhead egress proxy: ${reason}.` };
  };
  if (identity === undefined)
    return refuse(403, "this instance belongs to no sandbox, so it may not reach the network");
  if (!identity.internetAccess) return refuse(403, "internet access is off for this sandbox (internet_access: false)");
  if ("problem" in parsed) return refuse(400, parsed.problem);
  const { destination } = parsed;
  if (listener.settings.deniedPorts.includes(destination.port))
    return refuse(403, `port ${destination.port} is closed`);
  if (listener.openConnections >= listener.settings.maxConnections) {
    return refuse(503, `this sandbox has ${listener.settings.maxConnections} open connections, which is the limit`);
  }
  listener.openConnections += 1;
  const result = await open(listener, identity, destination).catch((error: unknown) => {
    listener.deps.logger.error("Egress decision failed", { instanceId: listener.instanceId, error });
    return { status: 502, reason: toBulkheadError(error).message };
  });
  if ("status" in result) {
    listener.openConnections -= 1;
    return refuse(result.status, result.reason);
  }
  return { ...result, destination, log: logAtEnd(listener, { at, method, parsed, identity, ...result }) };
}

interface Opened {
  readonly socket: Socket;
  readonly reason: string;
}

interface Refused {
  readonly status: number;
  readonly reason: string;
}

async function open(listener: Listener, identity: EgressIdentity, to: Destination): Promise<Opened | Refused> {
  const { deps, settings } = listener;
  const deadline = deps.clock.now() + settings.connectMs;
  const addresses = await resolve(listener, to);
  if (addresses === null) return { status: 502, reason: `the name ${to.host} could not be resolved` };
  const { sandboxId, projectId } = identity;
  const verdict = await deps.policy.decide({ sandboxId, projectId, host: to.host, port: to.port, addresses });
  if (!verdict.allow) return { status: 403, reason: `${to.host} is refused: ${verdict.reason}` };
  try {
    return { socket: await dial(addresses, to.port, deadline, deps.clock), reason: verdict.reason };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer in time";
    return { status: 502, reason: `${to.host}:${to.port} could not be connected to (${code})` };
  }
}

async function resolve(listener: Listener, to: Destination): Promise<readonly string[] | null> {
  if (to.literal) return [to.host];
  const { deps, settings } = listener;
  try {
    return await within(
      deps.resolver.lookupAll(to.host),
      settings.connectMs,
      deps.clock,
      "no answer from the name server",
    );
  } catch (error) {
    deps.logger.debug("Name not resolved", { host: to.host, error });
    return null;
  }
}

interface Facts {
  readonly at: number;
  readonly method: "CONNECT" | "http";
  readonly parsed: Parsed;
  readonly identity: EgressIdentity | undefined;
  readonly reason: string;
  readonly socket?: Socket;
}

function logAtEnd(listener: Listener, facts: Facts): OpenLog {
  // Asked now: a destroyed socket has forgotten it.
  const address = facts.socket?.remoteAddress ?? null;
  let open = true;
  return (reason) => {
    if (!open) return;
    open = false;
    listener.openConnections -= 1;
    record(listener, { ...facts, reason: reason ?? facts.reason }, address);
  };
}

function record(listener: Listener, facts: Facts, address: string | null = null): void {
  const { clock, decisions } = listener.deps;
  const destination = "destination" in facts.parsed ? facts.parsed.destination : null;
  const decision: EgressDecision = {
    at: facts.at,
    instanceId: listener.instanceId,
    sandboxId: facts.identity?.sandboxId ?? null,
    projectId: facts.identity?.projectId ?? null,
    method: facts.method,
    host: destination?.host ?? "",
    port: destination?.port ?? 0,
    address,
    decision: facts.socket === undefined ? "deny" : "allow",
    reason: facts.reason,
    bytesIn: facts.socket?.bytesRead ?? 0,
    bytesOut: facts.socket?.bytesWritten ?? 0,
    durationMs: clock.now() - facts.at,
  };
  decisions.record(decision);
}
