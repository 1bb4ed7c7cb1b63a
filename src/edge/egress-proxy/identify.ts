import type { Clock, InstanceStore, SandboxStore } from "#core/ports.ts";
import type { EgressSource } from "#egress/tcp.ts";

/** How long an answer is believed: connections come in bursts, and addresses change hands within minutes at least. */
const believeMs = 1_000;
const mostKnown = 10_000;

/**
 * Whose connection it is, by the address it comes from: a task cannot take another's address, its network interface would not send it.
 * Only a running sandbox has a way out, and only through the instance that serves it.
 */
export function makeIdentify(deps: {
  readonly instances: Pick<InstanceStore, "findByAddress">;
  readonly sandboxes: Pick<SandboxStore, "get">;
  readonly clock: Clock;
}): (address: string) => Promise<EgressSource | undefined> {
  const { instances, sandboxes, clock } = deps;
  const known = new Map<string, { readonly until: number; readonly source: Promise<EgressSource | undefined> }>();

  async function lookUp(address: string): Promise<EgressSource | undefined> {
    const instance = await instances.findByAddress(address);
    if (instance?.state !== "claimed" || instance.sandboxId === null) return undefined;
    const sandbox = await sandboxes.get(instance.sandboxId);
    const serves = sandbox?.status === "running" && sandbox.instanceId === instance.id;
    if (!serves) return { instanceId: instance.id, identity: undefined };
    const { id: sandboxId, projectId, internetAccess } = sandbox;
    return { instanceId: instance.id, identity: { sandboxId, projectId, internetAccess } };
  }

  return (address) => {
    const cached = known.get(address);
    if (cached !== undefined && cached.until > clock.now()) return cached.source;
    if (known.size >= mostKnown) known.clear();
    const source = lookUp(address);
    known.set(address, { until: clock.now() + believeMs, source });
    // A failure is not remembered: the next connection asks again.
    source.catch(() => known.delete(address));
    return source;
  };
}
