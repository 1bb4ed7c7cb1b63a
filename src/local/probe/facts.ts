/** How agent and user code are told apart, best first: see docs of {@link HostFacts.identityTiers}. */
export type IdentityTier = "two-uid" | "one-uid";

export const controllers = ["memory", "cpu", "pids"] as const;
export type Controller = (typeof controllers)[number];

/** Where instance cgroups are made; a controller that is missing holds no limit here. */
export type CgroupFacts =
  | { readonly kind: "v2"; readonly parent: string; readonly controllers: readonly Controller[] }
  | { readonly kind: "v1"; readonly parents: Readonly<Partial<Record<Controller, string>>> }
  | { readonly kind: "none"; readonly why: string };

/** First id and number of ids that newuidmap/newgidmap let this user hand out. */
export interface SubIds {
  readonly uid: { readonly first: number; readonly count: number };
  readonly gid: { readonly first: number; readonly count: number };
}

export interface Problem {
  readonly what: string;
  /** What to do, as a command where there is one. */
  readonly fix: string;
}

/** What this machine can hold, found by trying. */
export interface HostFacts {
  readonly root: boolean;
  readonly uid: number;
  readonly gid: number;
  /** Tiers that a trial sandbox ran in, best first; empty when no sandbox can run. */
  readonly identityTiers: readonly IdentityTier[];
  readonly subIds: SubIds | null;
  /**
   * Root only: the user namespace must be made before root's id is given up, as this host (AppArmor on Ubuntu 24.04) keeps
   * unprivileged users from making any.
   */
  readonly dropsLate: boolean;
  readonly bubblewrap: { readonly path: string; readonly version: string; readonly disableUserns: boolean } | null;
  readonly cgroup: CgroupFacts;
  readonly diskTiers: readonly ("ext4-image" | "tmpfs")[];
  /** File with the filter for this architecture, null when it cannot be used. */
  readonly seccompFilter: string | null;
  /** Each keeps sandboxes from running. */
  readonly problems: readonly Problem[];
  /** Each leaves a limit or a separation weaker than it could be. */
  readonly warnings: readonly Problem[];
}
