import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import * as z from "zod";
import { type Cgroups, makeCgroups } from "../compute/cgroups.ts";
import { type CgroupCandidate, cgroupCandidates } from "./cgroup-candidates.ts";
import { type CgroupFacts, type Controller, controllers } from "./facts.ts";

function readWords(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").trim().split(/\s+/);
  } catch {
    return [];
  }
}

/** Passes the controllers on to the children of `directory`. */
function enableControllers(directory: string): readonly Controller[] {
  const offered = readWords(`${directory}/cgroup.controllers`);
  for (const controller of controllers) {
    if (!offered.includes(controller)) continue;
    try {
      writeFileSync(`${directory}/cgroup.subtree_control`, `+${controller}`);
    } catch {
      // Not ours to enable, or processes are in the way; what is enabled already shows below.
    }
  }
  const enabled = readWords(`${directory}/cgroup.subtree_control`);
  return controllers.filter((controller) => enabled.includes(controller));
}

/**
 * In a container with cgroup v2 all processes sit in the visible root, and a cgroup with processes cannot pass controllers on:
 * moves them into a child, as container engines do for engines inside containers.
 */
function makeRoomAtTop(mount: string): void {
  const leaf = `${mount}/host-processes`;
  mkdirSync(leaf, { recursive: true });
  for (const pid of readWords(`${mount}/cgroup.procs`)) {
    try {
      writeFileSync(`${leaf}/cgroup.procs`, pid);
    } catch {
      // It ended meanwhile, or is a kernel thread.
    }
  }
}

/** The top of a container's view; the host's real top has no cgroup.type and needs no room. */
function isNamespaceRoot(candidate: CgroupCandidate): boolean {
  if (candidate.kind !== "v2" || candidate.parent !== candidate.mount) return false;
  return (
    existsSync(`${candidate.mount}/cgroup.type`) &&
    readWords(`${candidate.mount}/cgroup.controllers`).includes("memory")
  );
}

function factsOf(candidate: CgroupCandidate, root: boolean): CgroupFacts {
  if (candidate.kind === "v1") return { kind: "v1", parents: candidate.parents };
  accessSync(candidate.parent, constants.W_OK);
  let enabled = enableControllers(candidate.parent);
  if (!enabled.includes("memory") && root && isNamespaceRoot(candidate)) {
    makeRoomAtTop(candidate.mount);
    enabled = enableControllers(candidate.parent);
  }
  if (!enabled.includes("memory")) throw new Error(`${candidate.parent} offers no memory controller`);
  return { kind: "v2", parent: candidate.parent, controllers: enabled };
}

/** Runs a shell line inside the cgroup. @returns its exit code; signals as 128 + number, as shells do */
async function runInside(cgroups: Cgroups, name: string, line: string): Promise<number> {
  const child = spawn("/bin/sh", ["-c", `read -r _ || exit 99; ${line}`], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["pipe", "ignore", "ignore"],
  });
  const ended = once(child, "exit");
  child.stdin.on("error", () => {});
  try {
    await cgroups.join(name, child.pid ?? -1);
    child.stdin.end("go\n");
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(timer);
  return child.exitCode ?? 137;
}

/** Makes a cgroup and lets a memory hog and a fork meet its limits. @throws Error when a limit does not hold */
async function tryLimits(facts: CgroupFacts, group: string): Promise<void> {
  const cgroups = makeCgroups(facts, `${group}-probe`);
  const name = "probe";
  const holds = (controller: Controller): boolean => cgroups.enforced(controller) !== null;
  try {
    await cgroups.remove(name);
    await cgroups.create(name, { memoryBytes: 24 * 2 ** 20, vcpu: 1, pids: 1 });
    if (holds("pids") && (await runInside(cgroups, name, "/bin/true; exit 0")) === 0) {
      throw new Error("pids.max does not stop a fork");
    }
    const hog = "exec dd if=/dev/zero of=/dev/null bs=96M count=1";
    if (holds("memory") && (await runInside(cgroups, name, hog)) === 0)
      throw new Error("the memory limit does not hold");
  } finally {
    await cgroups.remove(name).catch(() => {});
    await cgroups.close();
  }
}

const failureSchema = z.object({ code: z.string().optional(), path: z.string().optional() });

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = "", path = "" } = failureSchema.catch({}).parse(error);
  if (path === "") return error.message;
  // What could not be made is only a probe: the directory above it says more.
  const place = basename(path).endsWith("-probe") ? dirname(path) : path;
  if (code === "EACCES" || code === "EPERM") return `no permission for ${place}`;
  return code === "EROFS" ? `${place} is read-only` : error.message;
}

/** The first place where cgroups can be made and their limits hold. */
export async function probeCgroups(root: boolean, group: string): Promise<CgroupFacts> {
  const reasons: string[] = [];
  const mountinfo = readFileSync("/proc/self/mountinfo", "utf8");
  for (const candidate of cgroupCandidates(mountinfo, readFileSync("/proc/self/cgroup", "utf8"), root)) {
    try {
      const facts = factsOf(candidate, root);
      await tryLimits(facts, group);
      return facts;
    } catch (error) {
      reasons.push(inWords(error));
    }
  }
  return { kind: "none", why: [...new Set(reasons)].join("; ") || "no cgroups are mounted" };
}
