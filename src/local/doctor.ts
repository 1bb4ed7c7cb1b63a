import type { CgroupFacts, Controller, HostFacts, Problem } from "#local/probe/facts.ts";

export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly fix?: string;
}

export interface DoctorReport {
  /** Whether sandboxes can run here with every limit enforced. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

function holds(cgroup: CgroupFacts, controller: Controller): boolean {
  if (cgroup.kind === "none") return false;
  return cgroup.kind === "v2" ? cgroup.controllers.includes(controller) : cgroup.parents[controller] !== undefined;
}

const limitNames: Readonly<Record<Controller, string>> = {
  memory: "memory limit",
  cpu: "CPU limit",
  pids: "process limit",
};

function limitCheck(facts: HostFacts, controller: Controller): Check {
  const name = limitNames[controller];
  const { cgroup } = facts;
  if (holds(cgroup, controller)) return { name, status: "ok", detail: `cgroup ${cgroup.kind}, tried` };
  if (controller === "pids" && facts.identityTiers[0] === "two-uid") {
    return { name, status: "ok", detail: "prlimit, each sandbox has a user id of its own" };
  }
  const fix = facts.warnings.find(({ what }) => what.startsWith("No cgroups"))?.fix ?? "Use --allow-unenforced.";
  const why = cgroup.kind === "none" ? cgroup.why : `no ${controller} controller`;
  return {
    name,
    status: "fail",
    detail: `not enforced: ${why}`,
    fix,
  };
}

function identityCheck(facts: HostFacts): Check {
  const name = "identity";
  if (facts.identityTiers[0] === "two-uid")
    return { name, status: "ok", detail: "agent and user code are different users" };
  const fix = facts.warnings.find(({ what }) => what.startsWith("User code"))?.fix;
  if (facts.identityTiers[0] === "one-uid") {
    const detail = "agent and user code of a sandbox are one user: user code could end its own agent";
    return { name, status: "warn", detail, ...(fix === undefined ? {} : { fix }) };
  }
  return { name, status: "fail", detail: "no sandbox can run" };
}

function syscallCheck(facts: HostFacts): Check {
  const name = "syscalls";
  if (facts.seccompFilter !== null) return { name, status: "ok", detail: "seccomp filter" };
  const fix = facts.warnings.find(({ what }) => what.startsWith("No syscall filter"))?.fix;
  return { name, status: "fail", detail: "no filter could be used", ...(fix === undefined ? {} : { fix }) };
}

/** What `bulkhead doctor` prints, for people and as JSON. */
export function doctorReport(facts: HostFacts): DoctorReport {
  const { bubblewrap } = facts;
  const image = facts.diskTiers[0] === "ext4-image";
  const failed = (problem: Problem): Check => ({
    name: "host",
    status: "fail",
    detail: problem.what,
    fix: problem.fix,
  });
  const checks: Check[] = [
    ...facts.problems.map(failed),
    ...(bubblewrap === null
      ? []
      : [{ name: "bubblewrap", status: "ok" as const, detail: `${bubblewrap.version} at ${bubblewrap.path}` }]),
    identityCheck(facts),
    { name: "network", status: "ok", detail: "own network namespace, out only through the egress proxy" },
    syscallCheck(facts),
    ...(["memory", "cpu", "pids"] as const).map((controller) => limitCheck(facts, controller)),
    {
      name: "disk limit",
      status: image ? "ok" : "warn",
      detail: image ? "fixed-size ext4 image" : "kept in memory, at most half of the memory limit",
      ...(image ? {} : { fix: "Start the platform as root for disks of their full size." }),
    },
  ];
  return { ok: checks.every(({ status }) => status !== "fail"), checks };
}
