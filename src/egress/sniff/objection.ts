import { decide } from "#core/network/decide.ts";
import { parseAddress } from "../address.ts";
import type { EgressConnection } from "../connection.ts";
import { judge } from "../intercept.ts";
import type { EgressDeps } from "../ports.ts";
import { type Refusal, refusal } from "../refusal.ts";
import type { First } from "./first-bytes.ts";

/**
 * Why what was found in a connection does not go out. The name in TLS must be the one that was asked for: a large host serves many
 * names, allowed and other ones, from one address.
 * @param ending whether TLS is ended here: then requests are judged one by one
 */
export function objection(
  deps: EgressDeps,
  connection: EgressConnection,
  sniffed: First["sniffed"],
  ending: boolean,
): Refusal | null {
  if (sniffed.kind === "malformed") return refusal(403, "the TLS hello cannot be read");
  if (sniffed.kind === "http") return null;
  if (sniffed.kind === "tls") {
    const refused = objectionToName(connection, sniffed.serverName, sniffed.hidden && !ending);
    if (refused !== null) return refused;
    if (ending) return null;
  }
  const decision = judge(deps, connection.identity.network, connection.target, "opaque");
  return decision.allow ? null : refusal(403, `${textOf(connection)} is refused: ${decision.reason}`, decision.rule);
}

function objectionToName(
  { identity: { network }, target }: EgressConnection,
  serverName: string | null,
  hidden: boolean,
): Refusal | null {
  const strict = network.mode === "allow-list";
  const literal = parseAddress(target.host) !== undefined;
  if (hidden && strict) return refusal(403, "the TLS hello is encrypted (ECH), so its name cannot be checked");
  if (literal) {
    if (serverName === null) return null;
    // A refused name must not be reached by its address.
    const decision = decide(network, { ...target, host: serverName }, "opaque");
    const refuses = network.mode === "allow-all-but" && !decision.allow;
    return refuses ? refusal(403, `${serverName} is refused: ${decision.reason}`, decision.rule) : null;
  }
  if (serverName === null) {
    return strict ? refusal(403, `TLS to ${target.host} names no server (SNI), so it cannot be checked`) : null;
  }
  return serverName === target.host
    ? null
    : refusal(403, `TLS names ${serverName}, the connection was asked for ${target.host}`);
}

function textOf({ target }: EgressConnection): string {
  return `${target.host}:${target.port}`;
}
