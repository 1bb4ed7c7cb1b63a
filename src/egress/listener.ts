import type { EgressConnection } from "./connection.ts";
import type { EgressDeps, EgressIdentity, EgressOptions } from "./ports.ts";

/** One instance's way out: whose it is now, and what is open. */
export interface Listener {
  readonly instanceId: string;
  readonly identify: () => EgressIdentity | undefined;
  readonly deps: EgressDeps;
  readonly settings: Required<EgressOptions>;
  readonly open: Set<EgressConnection>;
  /** Connections that are being decided; they count as open. */
  deciding: number;
  /** Values of brokered secrets that went out, by placeholder: a server that stored one may send it back with any later answer. */
  readonly used: Map<string, string>;
}

export function makeListener(
  deps: EgressDeps,
  settings: Required<EgressOptions>,
  instanceId: string,
  identify: Listener["identify"],
): Listener {
  return { deps, settings, instanceId, identify, open: new Set(), deciding: 0, used: new Map() };
}

/** Ends the connections that the policy of now would not let out. To be called when it may have changed. */
export function reconsider(listener: Listener): void {
  const identity = listener.identify();
  for (const connection of listener.open) {
    const refused = connection.objection(identity);
    if (refused !== null) connection.cut(refused);
  }
}
