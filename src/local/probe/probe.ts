import { installCommand, isTooOld } from "./bubblewrap.ts";
import type { CgroupFacts, HostFacts, IdentityTier, Problem, SubIds } from "./facts.ts";
import { loginName, parseSubIds } from "./subids.ts";

/** What the probe may do to the host; tests pass their own. */
export interface ProbeActions {
  readonly uid: number;
  readonly gid: number;
  /** null when there is no such file. */
  readonly readText: (path: string) => string | null;
  /** Whether /bin/bash is there: it starts every sandbox. */
  readonly hasBash: boolean;
  readonly findBubblewrap: () => Promise<HostFacts["bubblewrap"]>;
  /** Runs a sandbox of the first tier of these facts; null when it worked. */
  readonly trySandbox: (facts: HostFacts) => Promise<string | null>;
  readonly tryDiskImage: () => Promise<string | null>;
  readonly probeCgroups: () => Promise<CgroupFacts>;
  /** The filter made for this architecture, null when there is none. */
  readonly seccompFilter: string | null;
}

function isZero(text: string | null): boolean {
  return text?.trim() === "0";
}

/** Why user namespaces do not work, as far as the kernel's settings tell. */
export function userNamespaceProblem(read: ProbeActions["readText"], message: string): Problem {
  const what = `Sandboxes cannot be isolated on this host: ${message}.`;
  if (isZero(read("/proc/sys/user/max_user_namespaces"))) {
    return { what: `User namespaces are switched off. ${what}`, fix: "sudo sysctl -w user.max_user_namespaces=65536" };
  }
  if (isZero(read("/proc/sys/kernel/unprivileged_userns_clone"))) {
    return {
      what: `User namespaces are forbidden to unprivileged users. ${what}`,
      fix: "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    };
  }
  if (read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")?.trim() === "1") {
    return {
      what: `AppArmor forbids user namespaces to unprivileged users. ${what}`,
      fix: "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (or give bwrap and unshare an AppArmor profile that allows userns)",
    };
  }
  return {
    what,
    fix: "If this is a container, start it with permission to make namespaces (docker run --privileged); else see docs/operations.md.",
  };
}

function findSubIds(actions: ProbeActions): SubIds | null {
  const user = { name: loginName(actions.readText("/etc/passwd") ?? "", actions.uid), uid: actions.uid };
  const uid = parseSubIds(actions.readText("/etc/subuid") ?? "", user);
  const gid = parseSubIds(actions.readText("/etc/subgid") ?? "", user);
  return uid !== null && gid !== null ? { uid, gid } : null;
}

interface Trials {
  readonly tiers: readonly IdentityTier[];
  readonly filter: string | null;
  readonly messages: readonly string[];
  readonly dropsLate: boolean;
}

/** Tries each tier with the filter, and without when that was what failed. */
async function tryTiers(actions: ProbeActions, base: HostFacts, tiers: readonly IdentityTier[]): Promise<Trials> {
  const messages: string[] = [];
  for (const filter of base.seccompFilter === null ? [null] : [base.seccompFilter, null]) {
    const worked: IdentityTier[] = [];
    for (const tier of tiers) {
      // Without the filter user code in the two-uid tier could make user namespaces of its own.
      if (filter === null && tier === "two-uid" && !base.root) continue;
      const facts = { ...base, identityTiers: [tier], seccompFilter: filter };
      const message = await actions.trySandbox(facts);
      if (message === null) worked.push(tier);
      else messages.push(message);
      if (message !== null && base.root && (await actions.trySandbox({ ...facts, dropsLate: true })) === null) {
        return { tiers: [tier], filter, messages, dropsLate: true };
      }
    }
    if (worked.length > 0) return { tiers: worked, filter, messages, dropsLate: false };
  }
  return { tiers: [], filter: null, messages, dropsLate: false };
}

function cgroupWarning(cgroup: CgroupFacts, root: boolean): Problem[] {
  if (cgroup.kind !== "none") return [];
  return [
    {
      what: `No cgroups for memory, CPU and processes: ${cgroup.why}.`,
      fix: root
        ? "Mount cgroups writable in this container, or use --allow-unenforced."
        : "Start the platform as root, or under systemd: systemd-run --user --scope -p Delegate=yes npm start. Or use --allow-unenforced.",
    },
  ];
}

/** Finds by trying what this host can hold. Takes about 100 ms. */
export async function probeHost(actions: ProbeActions): Promise<HostFacts> {
  const root = actions.uid === 0;
  const osRelease = actions.readText("/etc/os-release") ?? "";
  const install = (name: string): string => installCommand(osRelease, [name]);
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const bubblewrap = await actions.findBubblewrap();
  if (bubblewrap === null) problems.push({ what: "bubblewrap (bwrap) is not installed.", fix: install("bubblewrap") });
  else if (isTooOld(bubblewrap.version)) {
    problems.push({ what: `bubblewrap ${bubblewrap.version} is too old, 0.5 is needed.`, fix: install("bubblewrap") });
  }
  if (!actions.hasBash) problems.push({ what: "/bin/bash is not installed.", fix: install("bash") });
  const subIds = root ? null : findSubIds(actions);
  const cgroup = await actions.probeCgroups();
  warnings.push(...cgroupWarning(cgroup, root));
  const diskMessage = root ? await actions.tryDiskImage() : "needs root";
  if (root && diskMessage !== null) {
    warnings.push({
      what: `Disk images cannot be mounted, disks are kept in memory: ${diskMessage}`,
      fix: install("e2fsprogs"),
    });
  }
  const base: HostFacts = {
    ...{ root, uid: actions.uid, gid: actions.gid, subIds, bubblewrap, cgroup },
    identityTiers: [],
    dropsLate: false,
    diskTiers: diskMessage === null ? ["ext4-image", "tmpfs"] : ["tmpfs"],
    seccompFilter: actions.seccompFilter,
    ...{ problems, warnings },
  };
  if (problems.length > 0) return base;
  const wanted: IdentityTier[] = root ? ["two-uid"] : subIds === null ? ["one-uid"] : ["two-uid", "one-uid"];
  const { tiers, filter, messages, dropsLate } = await tryTiers(actions, base, wanted);
  if (tiers.length === 0) problems.push(userNamespaceProblem(actions.readText, messages[0] ?? "no sandbox could run"));
  else if (filter === null) {
    warnings.push({
      what: "No syscall filter for this machine.",
      fix: "Use x86_64 or arm64, or use --allow-unenforced.",
    });
  }
  if (!root && tiers[0] !== "two-uid") {
    const fix = `${install("uidmap")}; then: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`;
    warnings.push({ what: "User code and the agent of a sandbox run as one user.", fix });
  }
  return { ...base, identityTiers: tiers, seccompFilter: filter, dropsLate };
}
