import { toBulkheadError } from "#contracts/errors.ts";
import type { EgressRow } from "#core/model.ts";
import type { NetworkDecision, NetworkTarget, Seen } from "#core/network/decide.ts";
import { letsOut } from "#core/network/policy.ts";
import { type EgressConnection, openConnection, recordRefusal } from "./connection.ts";
import type { Destination, Parsed } from "./destination.ts";
import { within } from "./dial.ts";
import { judge } from "./intercept.ts";
import type { Listener } from "./listener.ts";
import type { EgressIdentity } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

export interface Asked {
  readonly protocol: EgressRow["protocol"];
  readonly parsed: Parsed;
  /** The one request that the connection is for; null where more is still to be seen. */
  readonly request: { readonly method: string; readonly path: string } | null;
}

/** `Refusal` is recorded already. */
export type Admitted = { readonly connection: EgressConnection } | { readonly refused: Refusal };

/**
 * Identity, policy's mode, port, name, floor, policy, in this order: nothing leaves the host, not even a question to a name server, for
 * a sandbox that may not go out. What is let out is on record before anything is connected.
 */
export async function admit(listener: Listener, asked: Asked): Promise<Admitted> {
  const { deps, settings } = listener;
  const at = deps.clock.now();
  const { protocol, parsed } = asked;
  const method = asked.request?.method ?? null;
  const identity = listener.identify();
  const target = "destination" in parsed ? parsed.destination : null;
  const refuse = (refused: Refusal): Admitted => {
    recordRefusal(listener, { at, protocol, identity, target, method, refusal: refused });
    return { refused };
  };
  if (identity === undefined)
    return refuse(refusal(403, "this instance belongs to no sandbox, so it may not reach the network"));
  if (identity.quarantined === true) return refuse(refusal(403, "the sandbox is quarantined"));
  if (!letsOut(identity.network))
    return refuse(refusal(403, "the sandbox's network policy is deny-all (internet_access: false)"));
  if ("problem" in parsed) return refuse(refusal(400, parsed.problem));
  const { destination } = parsed;
  if (settings.deniedPorts.includes(destination.port))
    return refuse(refusal(403, `port ${destination.port} is closed`));
  if (listener.open.size + listener.deciding >= settings.maxConnections)
    return refuse(refusal(503, `this sandbox has ${settings.maxConnections} open connections, which is the limit`));
  listener.deciding += 1;
  const judged = await judgeTarget(listener, identity, destination, asked.request ?? "connection");
  listener.deciding -= 1;
  if ("status" in judged) return refuse(judged);
  const deadline = at + settings.connectMs;
  return { connection: openConnection(listener, { at, deadline, protocol, identity, method, ...judged }) };
}

type Judged = { readonly target: NetworkTarget; readonly decision: NetworkDecision };

async function judgeTarget(
  listener: Listener,
  { sandboxId, projectId, network }: EgressIdentity,
  to: Destination,
  seen: Seen,
): Promise<Judged | Refusal> {
  const { floor, logger } = listener.deps;
  // A name that no rule names is not even looked up, unless a range could let it out.
  const blind = judge(listener.deps, network, { ...to, addresses: [] }, seen);
  if (!blind.allow && !network.rules.some((rule) => rule.cidr !== undefined))
    return refusal(403, `${to.host}:${to.port} is refused: ${blind.reason}`, blind.rule);
  const addresses = await resolve(listener, to);
  if (addresses === null) return refusal(502, `the name ${to.host} could not be resolved`);
  try {
    const verdict = await floor.decide({ sandboxId, projectId, host: to.host, port: to.port, addresses });
    if (!verdict.allow) return refusal(403, `${to.host} is refused: ${verdict.reason}`);
  } catch (error) {
    logger.error("Egress decision failed", { instanceId: listener.instanceId, error });
    return refusal(502, toBulkheadError(error).message.replace(/\.$/, ""));
  }
  const target = { host: to.host, port: to.port, addresses };
  const decision = judge(listener.deps, network, target, seen);
  return decision.allow
    ? { target, decision }
    : refusal(403, `${to.host}:${to.port} is refused: ${decision.reason}`, decision.rule);
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
