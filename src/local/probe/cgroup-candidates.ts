import { type Controller, controllers } from "./facts.ts";

/** A place where instance cgroups might be made. */
export type CgroupCandidate =
  | { readonly kind: "v2"; readonly parent: string; readonly mount: string }
  | { readonly kind: "v1"; readonly parents: Readonly<Partial<Record<Controller, string>>> };

interface CgroupMounts {
  readonly v2: string | null;
  readonly v1: Readonly<Partial<Record<Controller, string>>>;
}

/** Mount points of the cgroup hierarchies, from the text of /proc/self/mountinfo. */
export function findCgroupMounts(mountinfo: string): CgroupMounts {
  let v2: string | null = null;
  const v1: Partial<Record<Controller, string>> = {};
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const path = before.split(" ")[4];
    const [type, , options = ""] = after.split(" ");
    if (path === undefined) continue;
    if (type === "cgroup2") v2 ??= path;
    if (type !== "cgroup") continue;
    for (const controller of controllers) {
      if (options.split(",").includes(controller)) v1[controller] ??= path;
    }
  }
  return { v2, v1 };
}

/** Our own cgroup in each hierarchy, from the text of /proc/self/cgroup. */
export function ownCgroups(text: string): {
  readonly v2: string | null;
  readonly v1: Readonly<Partial<Record<Controller, string>>>;
} {
  let v2: string | null = null;
  const v1: Partial<Record<Controller, string>> = {};
  for (const line of text.split("\n")) {
    const [number, names = "", ...rest] = line.split(":");
    const path = rest.join(":");
    if (number === "0" && names === "") v2 = path;
    for (const controller of controllers) if (names.split(",").includes(controller)) v1[controller] = path;
  }
  return { v2, v1 };
}

/** `path` and all directories above it, nearest first, as absolute paths below `mount`. */
function upwards(mount: string, path: string): readonly string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== "..");
  return parts.map((_, index) => `${mount}/${parts.slice(0, parts.length - index).join("/")}`).concat(mount);
}

/**
 * Places to try, best first. Root takes the top, where a later start finds what a killed one left; others take what is
 * delegated to them, from their own cgroup upwards.
 */
export function cgroupCandidates(mountinfo: string, own: string, root: boolean): readonly CgroupCandidate[] {
  const mounts = findCgroupMounts(mountinfo);
  const mine = ownCgroups(own);
  const found: CgroupCandidate[] = [];
  const { v2 } = mounts;
  if (v2 !== null) {
    const places = upwards(v2, mine.v2 ?? "/");
    const ordered = root ? [...places].reverse() : places;
    found.push(...ordered.map((parent) => ({ kind: "v2" as const, parent, mount: v2 })));
  }
  if (Object.keys(mounts.v1).length === 0) return found;
  const placed = (choose: (controller: Controller, mount: string) => string): Partial<Record<Controller, string>> =>
    Object.fromEntries(
      controllers.flatMap((controller) => {
        const mount = mounts.v1[controller];
        return mount === undefined ? [] : [[controller, choose(controller, mount)]];
      }),
    );
  const top = placed((_, mount) => mount);
  const below = placed((controller, mount) => upwards(mount, mine.v1[controller] ?? "/")[0] ?? mount);
  found.push(...(root ? [top, below] : [below]).map((parents) => ({ kind: "v1" as const, parents })));
  return found;
}
