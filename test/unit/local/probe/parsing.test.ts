import { describe, expect, it } from "vitest";
import { ensureBubblewrap, installCommand } from "#local/probe/bubblewrap.ts";
import { cgroupCandidates } from "#local/probe/cgroup-candidates.ts";
import { parseSubIds } from "#local/probe/subids.ts";

const v2Only = "30 1 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw";
const hybrid = [
  "31 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
  "32 1 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:4 - cgroup cgroup rw,cpu,cpuacct",
  "33 1 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids",
  "34 1 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
].join("\n");

describe("cgroupCandidates", () => {
  it("takes the top first as root", () => {
    const own = "0::/system.slice/bulkhead.service\n";
    expect(cgroupCandidates(v2Only, own, true).map((place) => place.kind === "v2" && place.parent)).toEqual([
      "/sys/fs/cgroup",
      "/sys/fs/cgroup/system.slice",
      "/sys/fs/cgroup/system.slice/bulkhead.service",
    ]);
  });

  it("goes from its own cgroup upwards without root", () => {
    const own = "0::/user.slice/app.scope\n";
    expect(cgroupCandidates(v2Only, own, false).map((place) => place.kind === "v2" && place.parent)).toEqual([
      "/sys/fs/cgroup/user.slice/app.scope",
      "/sys/fs/cgroup/user.slice",
      "/sys/fs/cgroup",
    ]);
  });

  it("knows each v1 hierarchy of a hybrid host", () => {
    const own = "4:memory:/job/1\n2:cpu,cpuacct:/\n8:pids:/\n0::/\n";
    expect(cgroupCandidates(hybrid, own, true).slice(1)).toEqual([
      {
        kind: "v1",
        parents: { memory: "/sys/fs/cgroup/memory", cpu: "/sys/fs/cgroup/cpu,cpuacct", pids: "/sys/fs/cgroup/pids" },
      },
      {
        kind: "v1",
        parents: {
          memory: "/sys/fs/cgroup/memory/job/1",
          cpu: "/sys/fs/cgroup/cpu,cpuacct",
          pids: "/sys/fs/cgroup/pids",
        },
      },
    ]);
  });

  it("finds nothing where nothing is mounted", () => {
    expect(cgroupCandidates("", "0::/\n", true)).toEqual([]);
  });
});

describe("parseSubIds", () => {
  const user = { name: "ann", uid: 1000 };
  it.each([
    ["bob:1:65536\nann:200000:1000", { first: 200000, count: 1000 }],
    ["1000:300000:10", { first: 300000, count: 10 }],
    ["ann:x:10", null],
    ["ann:0:10", null],
    ["", null],
  ])("%s", (text, range) => expect(parseSubIds(text, user)).toEqual(range));
});

describe("ensureBubblewrap", () => {
  const installer = (found: () => boolean) => {
    const calls: string[] = [];
    const progress: string[] = [];
    const run = async (program: string, args: readonly string[]) => {
      calls.push([program, ...args].join(" "));
      const code = program === "apt-get" || found() ? 0 : 1;
      return { code, stdout: code === 0 ? "bubblewrap 0.8.0" : "", stderr: "" };
    };
    const options = {
      run,
      root: true,
      osRelease: "ID=ubuntu\nID_LIKE=debian",
      allowInstall: true,
      onProgress: (line: string) => void progress.push(line),
    };
    return { calls, progress, options };
  };

  it("installs as root on Debian and its kin, with progress", async () => {
    const { calls, progress, options } = installer(() => calls.some((call) => call.startsWith("apt-get")));
    expect(await ensureBubblewrap(options)).toBeNull();
    expect(progress).toEqual(["Installing bubblewrap with apt-get (once) ...", "bubblewrap is installed."]);
  });

  it("only says what to run when it may not, or is not root", async () => {
    const { options } = installer(() => false);
    const fix = "sudo apt-get install -y bubblewrap";
    expect(await ensureBubblewrap({ ...options, allowInstall: false })).toMatchObject({ fix });
    expect(await ensureBubblewrap({ ...options, root: false })).toMatchObject({ fix });
    expect(await ensureBubblewrap({ ...options, osRelease: "ID=fedora" })).toMatchObject({
      fix: "sudo dnf install -y bubblewrap",
    });
  });

  it("says when the installation failed", async () => {
    const { options } = installer(() => false);
    expect((await ensureBubblewrap(options))?.what).toContain("could not be installed");
  });

  it.each([
    ["ID=arch", "pacman"],
    ["ID=alpine", "apk"],
    ["ID=opensuse\nID_LIKE=suse", "zypper"],
    ["", "package manager"],
  ])("%s", (text, word) => expect(installCommand(text, ["bubblewrap"])).toContain(word));
});
