import type { Enforcement } from "#contracts/domain.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { HostFacts } from "#local/probe/facts.ts";
import type { Cgroups } from "./cgroups.ts";

/** Name of the mechanism that holds each limit on this host. */
export function enforcementOf(host: HostFacts, cgroups: Pick<Cgroups, "enforced">): Enforcement {
  const identity = host.identityTiers[0] ?? "none";
  return {
    cpu: cgroups.enforced("cpu") ?? "none",
    memory: cgroups.enforced("memory") ?? "none",
    // RLIMIT_NPROC counts per host uid, so it holds an instance only where user code has a uid of its own.
    pids: cgroups.enforced("pids") ?? (identity === "two-uid" ? "prlimit" : "none"),
    disk: host.diskTiers[0] ?? "none",
    network: "netns",
    identity,
    syscalls: host.seccompFilter === null ? "none" : "seccomp",
  };
}

/** What an operator may give up with `--allow-unenforced`. */
const waivable = ["cpu", "memory", "pids", "disk", "syscalls"] as const;

/** @throws BulkheadError HOST_UNSUITABLE naming each limit that nothing holds */
export function requireEnforced(enforced: Enforcement, allowUnenforced: boolean): void {
  if (enforced.identity === "none") {
    throw new BulkheadError(
      "HOST_UNSUITABLE",
      "This host cannot isolate sandboxes. Run `bulkhead doctor` to see why and what to do.",
    );
  }
  const missing = waivable.filter((name) => enforced[name] === "none");
  if (missing.length === 0 || allowUnenforced) return;
  throw new BulkheadError(
    "HOST_UNSUITABLE",
    `This host cannot enforce: ${missing.join(", ")}. Run \`bulkhead doctor\` to see what to do, or start the platform with --allow-unenforced to run sandboxes without.`,
    { details: { unenforced: missing } },
  );
}

/** Prefix that sets per-process limits where cgroups are missing: best effort for memory, exact for pids in the two-uid tier. */
export function limitWrapper(
  enforced: Enforcement,
  limits: { readonly pids: number; readonly memoryBytes: number },
): readonly string[] {
  const options = [
    ...(enforced.pids === "prlimit" ? [`--nproc=${limits.pids}`] : []),
    ...(enforced.memory === "none" ? [`--data=${limits.memoryBytes}`] : []),
  ];
  return options.length === 0 ? [] : ["/usr/bin/prlimit", ...options, "--"];
}
