import { BulkheadError } from "#contracts/errors.ts";
import type { HostFacts } from "#local/probe/facts.ts";

/** Ids inside every sandbox: 0 is the agent, 1000 runs user code. In the one-uid tier both are 1000. */
export const insideAgentId = 0;
export const insideUserId = 1000;

/** Host ids of one live instance. gids equal uids. Never 0. */
export type Identity =
  /** `spawnAs` null: the supervisor's own id becomes the agent, newuidmap hands out the user's. */
  | {
      readonly tier: "two-uid";
      readonly agentId: number;
      readonly userId: number;
      readonly userGid: number;
      readonly byRoot: boolean;
      /** See {@link HostFacts.dropsLate}. */
      readonly dropsLate: boolean;
    }
  | { readonly tier: "one-uid" };

export interface IdentityPool {
  take(): Identity;
  giveBack(identity: Identity): void;
}

/** Outside of every range that adduser, systemd (DynamicUser, nspawn) and /etc/subuid defaults use. */
const firstRootId = 0x7000_0000;
const rootPairs = 65_536;

/** Hands out ids that no other live instance has, so that per-uid limits and file ownership never mix. */
export function makeIdentityPool(host: HostFacts): IdentityPool {
  const tier = host.identityTiers[0];
  if (tier !== "two-uid") return { take: () => ({ tier: "one-uid" }), giveBack() {} };
  const subIds = host.subIds;
  const size = host.root ? rootPairs : Math.min(subIds?.uid.count ?? 0, subIds?.gid.count ?? 0);
  const taken = new Set<number>();
  let next = 0;

  function identityAt(slot: number): Identity {
    if (host.root) {
      const agentId = firstRootId + 2 * slot;
      return {
        tier: "two-uid",
        agentId,
        userId: agentId + 1,
        userGid: agentId + 1,
        byRoot: true,
        dropsLate: host.dropsLate,
      };
    }
    const [uid, gid] = [subIds?.uid.first ?? 0, subIds?.gid.first ?? 0];
    return {
      tier: "two-uid",
      agentId: host.uid,
      userId: uid + slot,
      userGid: gid + slot,
      byRoot: false,
      dropsLate: false,
    };
  }

  function slotOf(identity: Identity): number {
    if (identity.tier === "one-uid") return -1;
    return identity.byRoot ? (identity.agentId - firstRootId) / 2 : identity.userId - (subIds?.uid.first ?? 0);
  }

  return {
    /** Round robin: an id rests as long as possible before it is used again. */
    take() {
      for (let tries = 0; tries < size; tries += 1) {
        const slot = next;
        next = (next + 1) % size;
        if (taken.has(slot)) continue;
        taken.add(slot);
        return identityAt(slot);
      }
      throw new BulkheadError(
        "CAPACITY_EXHAUSTED",
        "All user ids for sandboxes on this host are in use. Try again later.",
      );
    },
    giveBack(identity) {
      taken.delete(slotOf(identity));
    },
  };
}
