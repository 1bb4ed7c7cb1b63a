import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { EgressRow } from "#core/model.ts";
import type { NetworkDecision, NetworkTarget, Seen } from "#core/network/decide.ts";
import { dial } from "./dial.ts";
import { judge } from "./intercept.ts";
import type { Listener } from "./listener.ts";
import type { EgressDeps, EgressIdentity } from "./ports.ts";
import type { Refusal } from "./refusal.ts";

type Protocol = EgressRow["protocol"];

/** One connection that was let out, from before it stands to its end. On record all that time. */
export interface EgressConnection {
  readonly target: NetworkTarget;
  readonly identity: EgressIdentity;
  /** Connects to an address that was checked. @throws Error of the last attempt */
  dial(): Promise<Socket>;
  /** What was found inside decides what the policy is asked when it changes. */
  found(inside: NonNullable<EgressRow["inside"]>): void;
  /** A request that was let out. */
  request(method: string, secrets: readonly string[]): void;
  /** A request that was not, while the connection goes on. */
  refuse(method: string, refusal: Refusal): void;
  /** Why the policy of now, or a change of who it belongs to, would not let it out; null: it may go on. */
  objection(now: EgressIdentity | undefined): string | null;
  /** What has to be destroyed to end it from here. */
  onCut(destroy: () => void): void;
  cut(how: string | Refusal): void;
  /** Only the first call counts. With a refusal it has not been let out after all. */
  end(how?: string | Refusal): void;
}

export interface Opening {
  readonly at: number;
  readonly deadline: number;
  readonly protocol: Protocol;
  readonly identity: EgressIdentity;
  readonly target: NetworkTarget;
  readonly decision: NetworkDecision;
  readonly method: string | null;
}

export function openConnection(listener: Listener, opening: Opening): EgressConnection {
  const { deps } = listener;
  const { identity, target, decision } = opening;
  const sockets: Socket[] = [];
  const secrets = new Set<string>();
  let destroy = () => {};
  let ended = false;
  let address: string | undefined;
  let inside: EgressRow["inside"] = null;
  let { method } = opening;
  let requests = 0;
  const id = rowId(opening.at);
  const row = (changes: Partial<EgressRow> & Pick<EgressRow, "state">): EgressRow => ({
    ...emptyRow(listener, opening.at, opening.protocol, identity, target),
    id,
    decision: "allow",
    rule: decision.rule,
    reason: decision.reason,
    inside,
    method,
    requests,
    secrets: [...secrets],
    // Asked while it is open: a destroyed socket has forgotten it.
    address: address ?? null,
    bytesIn: sockets.reduce((sum, socket) => sum + socket.bytesRead, 0),
    bytesOut: sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0),
    ...changes,
  });

  const connection: EgressConnection = {
    target,
    identity,
    async dial() {
      const deadline = Math.max(
        opening.deadline,
        deps.clock.now() + (sockets.length > 0 ? listener.settings.connectMs : 0),
      );
      const socket = await dial(target.addresses, target.port, deadline, deps.clock);
      address = socket.remoteAddress;
      sockets.push(socket);
      return socket;
    },
    found(kind) {
      inside = kind;
    },
    request(name, used) {
      requests += 1;
      method ??= name;
      for (const secret of used) secrets.add(secret);
    },
    refuse(name, refused) {
      deps.recorder.record({
        ...emptyRow(listener, deps.clock.now(), opening.protocol, identity, target),
        id: rowId(deps.clock.now()),
        kind: "request",
        connection: id,
        endedAt: deps.clock.now(),
        inside,
        method: name,
        decision: "deny",
        rule: refused.rule,
        reason: refused.reason,
        state: "closed",
      });
    },
    objection: (now) => objectionTo(deps, now, identity, target, inside),
    onCut(run) {
      destroy = run;
    },
    cut(how) {
      connection.end(how);
      destroy();
    },
    end(how) {
      if (ended) return;
      ended = true;
      listener.open.delete(connection);
      deps.recorder.record(row({ state: "closed", endedAt: deps.clock.now(), ...outcome(how) }));
    },
  };
  listener.open.add(connection);
  deps.recorder.record(row({ state: "open" }));
  return connection;
}

function outcome(how: string | Refusal | undefined): Partial<EgressRow> {
  if (how === undefined) return {};
  return typeof how === "string" ? { reason: how } : { decision: "deny", reason: how.reason, rule: how.rule };
}

function objectionTo(
  deps: EgressDeps,
  now: EgressIdentity | undefined,
  before: EgressIdentity,
  target: NetworkTarget,
  inside: EgressRow["inside"],
): string | null {
  if (now?.sandboxId !== before.sandboxId) return "cut: its sandbox has ended or rests";
  if (now.quarantined === true) return "cut: its sandbox is quarantined";
  if (now.network.version === before.network.version) return null;
  // Requests are asked about one by one as they come.
  const seen: Seen = inside === "tls" || inside === "opaque" ? "opaque" : "connection";
  const decision = judge(deps, now.network, target, seen);
  return decision.allow ? null : `cut by version ${now.network.version} of the network policy: ${decision.reason}`;
}

/** What is refused before it is a connection. */
export function recordRefusal(
  listener: Listener,
  asked: {
    readonly at: number;
    readonly protocol: Protocol;
    readonly identity: EgressIdentity | undefined;
    readonly target: Pick<NetworkTarget, "host" | "port"> | null;
    readonly method: string | null;
    readonly refusal: Refusal;
  },
): void {
  const { at, protocol, identity, refusal } = asked;
  listener.deps.recorder.record({
    ...emptyRow(listener, at, protocol, identity, asked.target ?? { host: "", port: 0 }),
    id: rowId(at),
    state: "closed",
    endedAt: listener.deps.clock.now(),
    method: asked.method,
    decision: "deny",
    rule: refusal.rule,
    reason: refusal.reason,
  });
}

function emptyRow(
  listener: Listener,
  startedAt: number,
  protocol: Protocol,
  identity: EgressIdentity | undefined,
  { host, port }: Pick<NetworkTarget, "host" | "port">,
): Omit<EgressRow, "id" | "decision" | "reason" | "rule" | "state"> {
  return {
    kind: "connection",
    connection: null,
    startedAt,
    endedAt: null,
    sandboxId: identity?.sandboxId ?? null,
    projectId: identity?.projectId ?? null,
    instanceId: listener.instanceId,
    protocol,
    inside: null,
    host,
    port,
    address: null,
    method: null,
    policyVersion: identity?.network.version ?? null,
    bytesIn: 0,
    bytesOut: 0,
    requests: 0,
    secrets: [],
  };
}

/** Sorts by time. */
function rowId(at: number): string {
  return `${at.toString(36).padStart(9, "0")}${randomBytes(8).toString("hex")}`;
}
