import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock, InstanceStore, SandboxStore } from "#core/ports.ts";
import type { EgressSource } from "#egress/tcp.ts";

/** How long an answer is believed: connections come in bursts, and addresses change hands within minutes at least. */
const believeMs = 500;
const mostKnown = 10_000;
/** The index by address follows the table after a moment: whoever was claimed just now is asked for again before it is refused. */
const againAfterMs = [150, 350, 700];

/**
 * Whose connection it is, by the address it comes from and by what its instance's agent shows: a task cannot take another's address, its
 * network interface would not send it. Only a running sandbox has a way out, and only through the instance that serves it.
 */
export function makeIdentify(deps: {
  readonly instances: Pick<InstanceStore, "findByAddress">;
  readonly sandboxes: Pick<SandboxStore, "get">;
  readonly clock: Clock;
}): (address: string, credential: string | null) => Promise<EgressSource | undefined> {
  const { instances, sandboxes, clock } = deps;
  const known = new Map<string, { until: number; readonly source: Promise<Found | undefined> }>();

  async function lookUp(address: string): Promise<Found | undefined> {
    const instance = await instances.findByAddress(address);
    if (instance?.state !== "claimed" || instance.sandboxId === null) return undefined;
    const sandbox = await sandboxes.get(instance.sandboxId);
    const quarantined = sandbox !== undefined && sandbox.quarantine !== null;
    const serves = (sandbox?.status === "running" || quarantined) && sandbox.instanceId === instance.id;
    const keyHash = instance.endpoint?.kind === "tcp" ? instance.endpoint.egressKeyHash : undefined;
    if (!serves) return { keyHash, source: { instanceId: instance.id, identity: undefined } };
    const { id: sandboxId, projectId, network, brokered } = sandbox;
    const identity = { sandboxId, projectId, network, brokered, ...(quarantined && { quarantined }) };
    return { keyHash, source: { instanceId: instance.id, identity } };
  }

  async function find(address: string): Promise<Found | undefined> {
    let found = await lookUp(address);
    for (const ms of againAfterMs) {
      if (found?.source.identity !== undefined) break;
      await clock.sleep(ms);
      found = await lookUp(address);
    }
    return found;
  }

  function believed(address: string): Promise<Found | undefined> {
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
  }

  return async (address, credential) => {
    const found = await believed(address);
    return found !== undefined && shows(credential, found.keyHash) ? found.source : undefined;
  };
}

interface Found {
  /** Of what the instance's agent shows; undefined: it has said nothing, and has no way out. */
  readonly keyHash: string | undefined;
  readonly source: EgressSource;
}

/** Addresses are used again, and code in a sandbox can connect by itself: what only its agent knows must be there too. */
function shows(credential: string | null, keyHash: string | undefined): boolean {
  if (credential === null || keyHash === undefined) return false;
  const shown = createHash("sha256").update(credential).digest();
  const expected = Buffer.from(keyHash, "base64url");
  return shown.length === expected.length && timingSafeEqual(shown, expected);
}
