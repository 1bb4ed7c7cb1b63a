import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { Sandbox } from "@hopx-ai/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import { table } from "#cli/output.ts";
import { attack, attackCommand, hex, type Verdict } from "./support/attacks.ts";
import { makeClient } from "./support/client.ts";
import { cgroupsOf, processesWith, readHost } from "./support/host.ts";
import { ask, control } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

const fileMarker = "another-sandbox-secret-7f3a";
const processMarker = "987654321";
const escapes = /root:[x*]:0:0/;

let platform: RunningPlatform;
let attacker: Sandbox;
let victim: Sandbox;
let hostServer: Server;
let hostHits = 0;
let hostPort = 0;
let limits = { vcpu: 1, memoryMb: 512, diskMb: 1024 };
const rows: string[][] = [];

beforeAll(async () => {
  hostServer = createServer((_, response) => {
    hostHits += 1;
    response.end("host service");
  });
  await new Promise<void>((resolve) => hostServer.listen(0, "127.0.0.1", resolve));
  const address = hostServer.address();
  hostPort = typeof address === "object" && address !== null ? address.port : 0;
  platform = await startPlatform();
  const client = makeClient(platform);
  [attacker, victim] = [await client.create(), await client.create({ envVars: { HIDDEN: fileMarker } })];
  limits = (await attacker.getInfo()).resources ?? limits;
  await victim.files.write("/workspace/secret.txt", fileMarker);
  await victim.commands.run(`cp /workspace/secret.txt /tmp/; (sleep ${processMarker} >/dev/null 2>&1 &)`);
  return async () => {
    process.stdout.write(`\n${table(["ATTEMPT", "STOPPED BY"], rows)}\n`);
    hostServer.close();
    await platform.stop();
  };
});

/** One row: the attempt must have been stopped, and the sandbox must still answer. */
async function expectStopped(attempt: string, verdict: Verdict): Promise<void> {
  rows.push([attempt, verdict.stopped ? verdict.by.slice(0, 110) : `NOT STOPPED: ${verdict.by}`]);
  expect(verdict, `${attempt}: ${verdict.by}`).toMatchObject({ stopped: true });
  const alive = await until(`answer after "${attempt}"`, async () => {
    const { stdout } = await attacker.commands.run("echo alive");
    return stdout.trim() === "alive";
  });
  expect(alive).toBe(true);
}

describe("the kernel", () => {
  it.each([
    ["write /proc/sys/kernel/core_pattern", "core_pattern"],
    ["write anything in /proc/sys", "proc_sys"],
    ["open memory, disks and other devices", "devices"],
    ["hold a capability or gain one by setuid", "capabilities"],
    ["unshare, clone, clone3 and setns", "namespaces"],
    ["mount, remount, pivot_root, chroot", "mounts"],
    ["kernel keyring", "keyring"],
    ["io_uring", "io_uring"],
    ["bpf, perf, userfaultfd, modules, kexec, reboot", "dangerous_calls"],
    ["AF_VSOCK, AF_PACKET, raw and AF_ALG sockets", "vsock"],
    ["TIOCSTI on its own terminal", "tiocsti"],
    ["write the read-only base and /dev", "write_base"],
  ])("%s", async (attempt, name) => {
    await expectStopped(attempt, await attack(attacker, name));
  });
});

describe("the agent", () => {
  it.each([
    ["read the agent's environment, memory, files", "read_agent"],
    ["kill the agent", "kill_agent"],
    ["ptrace the agent, read its memory, take its sockets", "ptrace_agent"],
    ["replace a socket of the platform by a link", "socket_swap"],
  ])("%s", async (attempt, name) => {
    await expectStopped(attempt, await attack(attacker, name));
  });

  it("control routes of the agent through the gateway", async () => {
    const info = await attacker.getInfo();
    const { origin, pathname } = new URL(info.publicHost);
    const authorization = `Bearer ${await attacker.getToken()}`;
    const base = pathname.replace(/\/$/, "");
    const paths = [
      "/_bulkhead/state",
      "/_bulkhead/activate",
      "//_bulkhead/state",
      "/%5Fbulkhead/state",
      "/%5fbulkhead%2fstate",
      "/./_bulkhead/state",
      "/files/../_bulkhead/state",
      "/files/%2e%2e/_bulkhead/state",
      "/_BULKHEAD/state",
      "/_bulkhead\\state",
    ].flatMap((path) => [base + path, path]);
    const reached: string[] = [];
    const statuses = new Set<number>();
    for (const path of paths) {
      for (const method of ["GET", "POST"]) {
        const answer = await ask(origin, path, {
          method,
          headers: { authorization },
          ...(method === "POST" && { body: "{}" }),
        });
        statuses.add(answer.status);
        if (answer.status < 400 || /last_activity_at|"state"/.test(answer.text))
          reached.push(`${method} ${path} ${answer.status}`);
      }
    }
    const by = reached.length > 0 ? reached.join(", ") : `gateway: ${[...statuses].sort().join(", ")}`;
    await expectStopped("control routes of the agent (/_bulkhead/) through the gateway", {
      stopped: reached.length === 0,
      by,
    });
  });

  it("another sandbox with one's own token", async () => {
    const { origin, pathname } = new URL((await victim.getInfo()).publicHost);
    const headers = { authorization: `Bearer ${await attacker.getToken()}` };
    const answer = await ask(origin, `${pathname.replace(/\/$/, "")}/files/read?path=/workspace/secret.txt`, {
      headers,
    });
    const stopped = answer.status >= 400 && !answer.text.includes(fileMarker);
    await expectStopped("another sandbox with one's own token", { stopped, by: `gateway: ${answer.status}` });
  });
});

describe("others and the host", () => {
  it("other sandboxes' files, processes and secrets", async () => {
    expect(processesWith(`sleep ${processMarker}`).length).toBeGreaterThan(0);
    const verdict = await attack(attacker, "other_sandbox", [hex(fileMarker), hex(processMarker)]);
    await expectStopped("other sandboxes' files, processes and secrets", verdict);
  });

  it("host files", async () => {
    const paths = [platform.home, join(platform.home, "api-key"), join(platform.home, "database"), "/root/.ssh"];
    await expectStopped(
      "host files: shadow, /root, data directory, API key",
      await attack(attacker, "host_files", paths),
    );
  });

  it("links out of the roots through the file API", async () => {
    await attacker.commands.run(
      "cd /workspace && ln -sfn /etc etc && ln -sfn / root && ln -sfn /etc/passwd passwd && ln -sfn /proc/1/environ environ && ln -sfn /opt opt && ln -sfn loop loop",
    );
    const paths = [
      "etc/passwd",
      "root/etc/passwd",
      "passwd",
      "environ",
      "../etc/passwd",
      "./../../etc/passwd",
      "loop",
      "%2e%2e/etc/passwd",
      "root/proc/self/environ",
      "x/../../etc/passwd",
    ];
    const reached: string[] = [];
    for (const path of paths) {
      for (const read of [
        () => attacker.files.read(`/workspace/${path}`),
        async () => (await attacker.files.readBytes(`/workspace/${path}`)).toString(),
      ]) {
        const text = await read().catch(() => "");
        if (text !== "") reached.push(`read ${path}`);
      }
      await attacker.files.write(`/workspace/${path}.new`, "x").then(
        () => path.includes("/") && !path.startsWith("%") && reached.push(`write ${path}`),
        () => undefined,
      );
    }
    for (const directory of ["/workspace/etc", "/workspace/root", "/etc", "/workspace/.."]) {
      const found = await attacker.files.list(directory).catch(() => []);
      if (found.length > 0) reached.push(`list ${directory}`);
      await attacker.files.mkdir(`${directory}/made`).then(
        () => reached.push(`mkdir ${directory}`),
        () => undefined,
      );
    }
    await expectStopped("links and dots out of the roots through the file API", {
      stopped: reached.length === 0,
      by: reached.join(", ") || "agent: path checks",
    });
  });

  it("a directory swapped for a link while the file API reads through it", async () => {
    const swapping = attacker.commands.run(attackCommand("symlink_swap", ["6"]), { timeout: 30 });
    await until("swap directory", () => attacker.files.exists("/workspace/swap"));
    let leaked = 0;
    let reads = 0;
    const state = { done: false };
    const finished = swapping.then(() => {
      state.done = true;
    });
    while (!state.done) {
      const text = await attacker.files.read("/workspace/swap/real/passwd").catch(() => "");
      reads += 1;
      if (escapes.test(text)) leaked += 1;
    }
    await finished;
    await attacker.commands.run("rm -rf /workspace/swap");
    await expectStopped("a directory swapped for a link during reads", {
      stopped: leaked === 0 && reads > 0,
      by: leaked === 0 ? `agent: none of ${reads} reads left the roots` : `${leaked} of ${reads} reads left the roots`,
    });
  });
});

describe("what the platform has open", () => {
  it("descriptors of its database, log and sockets", async () => {
    const { stdout } = await attacker.commands.run("for fd in /proc/self/fd/*; do readlink $fd; done");
    const host = stdout.split("\n").filter((target) => target.startsWith("/") && !/^\/(dev\/null|proc\/)/.test(target));
    await expectStopped("use descriptors of the platform", {
      stopped: stdout.includes("/dev/null") && host.length === 0,
      by: host.length === 0 ? "the launch shell closes all it does not hand in" : host.join(" "),
    });
  });
});

describe("more than its share", () => {
  it("fork bomb", async () => {
    await expectStopped("fork bomb", await attack(attacker, "fork_bomb"));
  });

  it("fork bomb in bash that outlives its run", async () => {
    // It fills its own sandbox for good; the others and the host do not feel it, and ending the sandbox ends it.
    const bomber = await makeClient(platform).create();
    const name = "bomb_4471";
    const bomb = `${name}() { ${name} | ${name} & }; ${name}; sleep 1; exit 0`;
    const run = bomber.commands.run(bomb, { timeout: 5 }).catch(() => undefined);
    const most = await until("bomb on the host", () => processesWith(name).length > 20 && processesWith(name).length);
    await run;
    await bomber.kill();
    const left = await until("end of the bomb", () => processesWith(name).length === 0 && "none left");
    await expectStopped("fork bomb in bash that outlives its run", {
      stopped: most < 300,
      by: `pids limit (${most} processes seen), ended with its sandbox: ${left}`,
    });
  });

  it("memory hog", async () => {
    await expectStopped("memory hog", await attack(attacker, "memory_hog", [String(limits.memoryMb * 3)]));
  });

  it.each([["/workspace"], ["/tmp"], ["/dev/shm"]])("disk filler in %s", async (directory) => {
    const most = Math.max(limits.diskMb, limits.memoryMb) * 2;
    const verdict = await attack(attacker, "disk_filler", [directory, String(most)], 100);
    await expectStopped(`disk filler in ${directory}`, verdict);
    await attacker.commands.run(`rm -rf ${directory}/fill`);
  });

  it.each([["/workspace"], ["/tmp"], ["/dev/shm"]])("inode filler in %s", async (directory) => {
    // A tmpfs has no limit on inodes of its own: there the memory limit holds, and may end the sandbox that filled it.
    const client = makeClient(platform);
    const filler = await client.create();
    const files = String(limits.memoryMb * 3000);
    const verdict = await attack(filler, "inode_filler", [directory, files], 110).catch(async (): Promise<Verdict> => {
      const { body } = await until("end of the filler's sandbox", async () => {
        const answer = await control(platform, "GET", `/v1/sandboxes/${filler.sandboxId}`);
        return answer.status === 410 && answer;
      });
      const reason = JSON.stringify(body).match(/"end_reason":"(\w+)"/)?.[1] ?? "nothing";
      return { stopped: reason === "out_of_memory" || reason === "disk_full", by: `the sandbox ended: ${reason}` };
    });
    await expectStopped(`inode filler in ${directory}`, verdict);
    await filler.kill().catch(() => undefined);
  });

  it("CPU hog", async () => {
    const marker = "cpu-hog-marker-5521";
    const hog = attacker.commands.run(attackCommand("cpu_hog", [String(limits.vcpu * 4), "3", marker]), {
      timeout: 60,
    });
    const process = await until("hog on the host", () =>
      processesWith(marker).find(({ command }) => command.startsWith("python3")),
    );
    const groups = cgroupsOf(process.pid);
    const [quota, period, controller] = cpuQuota(groups);
    const used = Number(/USED ([\d.]+)/.exec((await hog).stdout)?.[1]);
    await expectStopped("CPU hog", {
      stopped: quota / period === limits.vcpu,
      by: `${controller}: quota ${quota / period} of a CPU each second, ${used} used`,
    });
  });
});

/** Quota, period and what holds it, read from the host's own view of the sandbox's cgroup. */
function cpuQuota(groups: ReadonlyMap<string, string>): readonly [number, number, string] {
  const v2 = readHost(join(groups.get("") ?? "", "cpu.max")).trim();
  if (v2 !== "") {
    const [quota, period] = v2.split(" ").map(Number);
    return [quota ?? Number.NaN, period ?? 1, "cgroup v2 cpu.max"];
  }
  const directory = groups.get("cpu") ?? "";
  const number = (name: string): number => Number(readHost(join(directory, name)) || "NaN");
  return [number("cpu.cfs_quota_us"), number("cpu.cfs_period_us"), "cgroup v1 cpu.cfs_quota_us"];
}

describe("the network", () => {
  it("direct connections", async () => {
    await expectStopped(
      "direct network, DNS, metadata address, host",
      await attack(attacker, "direct_network", [String(hostPort)]),
    );
    expect(hostHits).toBe(0);
  });

  it("private addresses through the egress proxy", async () => {
    const verdict = await attack(attacker, "proxy_private", [String(hostPort)], 110);
    expect(verdict.by).not.toBe("no proxy is offered");
    await expectStopped("private and metadata addresses through the proxy", verdict);
    expect(hostHits).toBe(0);
  });

  it("the way out when internet access is off", async () => {
    const closed = await makeClient(platform).create({ internetAccess: false });
    try {
      const { stdout } = await closed.commands.run(
        "curl -sS -m 10 -o /dev/null -w '%{http_code}' https://example.com 2>&1; echo; env | grep -ci proxy",
        { timeout: 30 },
      );
      await expectStopped("the way out with internet_access: false", {
        stopped: !/\b[23]\d\d\b/.test(stdout),
        by: stdout.split("\n")[0] ?? "",
      });
    } finally {
      await closed.kill();
    }
  });
});
