import { describe, expect, it } from "vitest";
import { doctorReport } from "#local/doctor.ts";
import { doctorText } from "#local/doctor-text.ts";
import { type ProbeActions, probeHost } from "#local/probe/probe.ts";

const debian = 'ID=debian\nNAME="Debian"\n';

function actions(change: Partial<ProbeActions> & { files?: Record<string, string> } = {}): ProbeActions {
  const files: Record<string, string> = { "/etc/os-release": debian, ...change.files };
  return {
    uid: 0,
    gid: 0,
    readText: (path) => files[path] ?? null,
    findBubblewrap: async () => ({ path: "/usr/bin/bwrap", version: "0.8.0", disableUserns: true }),
    trySandbox: async () => null,
    tryDiskImage: async () => null,
    probeCgroups: async () => ({ kind: "v2", parent: "/sys/fs/cgroup", controllers: ["memory", "cpu", "pids"] }),
    hasBash: true,
    seccompFilter: "/x86_64.bpf",
    ...change,
  };
}

const subIds = {
  "/etc/passwd": "ann:x:1000:1000::/:/bin/sh\n",
  "/etc/subuid": "ann:100000:65536",
  "/etc/subgid": "ann:200000:65536",
};

describe("probeHost", () => {
  it("finds a host where root can do everything", async () => {
    const facts = await probeHost(actions());
    expect(facts).toMatchObject({
      identityTiers: ["two-uid"],
      diskTiers: ["ext4-image", "tmpfs"],
      problems: [],
      warnings: [],
    });
    expect(doctorReport(facts).ok).toBe(true);
  });

  it("says how to install bubblewrap when it is missing, and tries nothing", async () => {
    const facts = await probeHost(
      actions({ findBubblewrap: async () => null, trySandbox: () => Promise.reject(new Error("tried")) }),
    );
    expect(facts.identityTiers).toEqual([]);
    expect(facts.problems).toMatchObject([{ fix: "sudo apt-get install -y bubblewrap" }]);
    expect(doctorReport(facts).checks[0]).toMatchObject({ status: "fail", fix: "sudo apt-get install -y bubblewrap" });
  });

  it("needs bash, which starts every sandbox", async () => {
    const { problems } = await probeHost(actions({ hasBash: false }));
    expect(problems).toEqual([{ what: "/bin/bash is not installed.", fix: "sudo apt-get install -y bash" }]);
  });

  it("refuses a bubblewrap without sized file systems", async () => {
    const findBubblewrap = async () => ({ path: "/usr/bin/bwrap", version: "0.4.1", disableUserns: false });
    expect((await probeHost(actions({ findBubblewrap }))).problems[0]?.what).toContain("0.4.1 is too old");
  });

  it.each([
    ["/proc/sys/user/max_user_namespaces", "0\n", "user.max_user_namespaces"],
    ["/proc/sys/kernel/unprivileged_userns_clone", "0\n", "unprivileged_userns_clone=1"],
    ["/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "apparmor_restrict_unprivileged_userns=0"],
    ["/nothing", "", "container"],
  ])("names what forbids user namespaces: %s", async (path, text, fix) => {
    const facts = await probeHost(
      actions({ uid: 1000, files: { [path]: text }, trySandbox: async () => "Operation not permitted" }),
    );
    expect(facts.identityTiers).toEqual([]);
    expect(facts.problems[0]?.fix).toContain(fix);
    expect(doctorReport(facts).ok).toBe(false);
  });

  it("uses two uids without root where subordinate ids are given, past those podman uses", async () => {
    const facts = await probeHost(actions({ uid: 1000, gid: 1000, files: subIds }));
    expect(facts.identityTiers).toEqual(["two-uid", "one-uid"]);
    expect(facts.subIds).toEqual({ uid: { first: 132768, count: 32768 }, gid: { first: 232768, count: 32768 } });
    expect(facts.diskTiers).toEqual(["tmpfs"]);
  });

  it("falls back to one uid, with a warning that says how to get two", async () => {
    const trySandbox: ProbeActions["trySandbox"] = async ({ identityTiers }) =>
      identityTiers[0] === "two-uid" ? "newuidmap: not found" : null;
    const facts = await probeHost(actions({ uid: 1000, files: subIds, trySandbox }));
    expect(facts.identityTiers).toEqual(["one-uid"]);
    const identity = doctorReport(facts).checks.find(({ name }) => name === "identity");
    expect(identity?.status).toBe("warn");
    expect(identity?.fix).toContain("uidmap");
  });

  it("goes on without the filter where that is what fails, and fails the doctor", async () => {
    const facts = await probeHost(
      actions({ trySandbox: async ({ seccompFilter }) => (seccompFilter === null ? null : "bad filter") }),
    );
    expect(facts).toMatchObject({ identityTiers: ["two-uid"], seccompFilter: null });
    expect(doctorReport(facts).checks).toContainEqual(expect.objectContaining({ name: "syscalls", status: "fail" }));
  });

  it("gives up root's id late where unprivileged users may not make namespaces", async () => {
    const trySandbox: ProbeActions["trySandbox"] = async ({ dropsLate }) => (dropsLate ? null : "Permission denied");
    expect(await probeHost(actions({ trySandbox }))).toMatchObject({
      identityTiers: ["two-uid"],
      dropsLate: true,
      problems: [],
    });
  });

  it("reports limits that nothing holds", async () => {
    const probeCgroups = async () => ({ kind: "none" as const, why: "permission denied" });
    const facts = await probeHost(actions({ uid: 1000, probeCgroups }));
    const failed = doctorReport(facts).checks.filter(({ status }) => status === "fail");
    expect(failed.map(({ name }) => name)).toEqual(["memory limit", "CPU limit", "process limit"]);
    expect(failed[0]?.fix).toContain("Delegate=yes");
    const text = doctorText(doctorReport(facts));
    expect(text.match(/not enforced: permission denied/g)).toHaveLength(3);
    expect(text.match(/Delegate=yes/g)).toHaveLength(1);
  });
});
