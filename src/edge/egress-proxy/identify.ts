import type { Clock, InstanceStore, SandboxStore } from "#core/ports.ts";
import type { EgressSource } from "#egress/tcp.ts";

/** How long an answer is believed: connections come in bursts, and addresses change hands within minutes at least. */
const believeMs = 1_000;
const mostKnown = 10_000;
/** The index by address follows the table after a moment: whoever was claimed just now is asked for again before it is refused. */
const againAfterMs = [150, 350, 700];

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
  const known = new Map<string, { until: number; readonly source: Promise<EgressSource | undefined> }>();

  async function lookUp(address: string): Promise<EgressSource | undefined> {
    const instance = await instances.findByAddress(address);
    if (instance?.state !== "claimed" || instance.sandboxId === null) return undefined;
    const sandbox = await sandboxes.get(instance.sandboxId);
    const serves = sandbox?.status === "running" && sandbox.instanceId === instance.id;
    if (!serves) return { instanceId: instance.id, identity: undefined };
    const { id: sandboxId, projectId, internetAccess } = sandbox;
    return { instanceId: instance.id, identity: { sandboxId, projectId, internetAccess } };
  }

  async function find(address: string): Promise<EgressSource | undefined> {
    let source = await lookUp(address);
    for (const ms of againAfterMs) {
      if (source?.identity !== undefined) break;
      await clock.sleep(ms);
      source = await lookUp(address);
    }
    return source;
  }

  return (address) => {
    const cached = known.get(address);
    if (cached !== undefined && cached.until > clock.now()) return cached.source;
    if (known.size >= mostKnown) known.clear();
    const source = find(address);
    const entry = { until: Number.POSITIVE_INFINITY, source };
    known.set(address, entry);
    source.then(
      () => {
        entry.until = clock.now() + believeMs;
      },
      // A failure is not remembered: the next connection asks again.
      () => known.delete(address),
    );
    return source;
  };
}
