import { join } from "node:path";
import { attack, attackCommand, type Verdict } from "#test/e2e/support/attacks.ts";
import { cgroupsOf, processesWith, readHost } from "#test/e2e/support/host.ts";
import { control } from "#test/e2e/support/http.ts";
import { until } from "#test/e2e/support/until.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

const everywhere = ["/workspace", "/tmp", "/dev/shm"];

/** It fills its own sandbox for good; the others and the host do not feel it, and ending the sandbox ends it. */
async function bashBomb({ create }: HostileWorld): Promise<Verdict> {
  const bomber = await create();
  const name = "bomb_4471";
  const run = bomber.commands
    .run(`${name}() { ${name} | ${name} & }; ${name}; sleep 1; exit 0`, { timeout: 5 })
    .catch(() => undefined);
  const most = await until("bomb on the host", () => processesWith(name).length > 20 && processesWith(name).length);
  await run;
  await bomber.kill();
  await until("end of the bomb", () => processesWith(name).length === 0 && "none left");
  return judged(most < 300, `pids limit (${most} processes seen), none left with its sandbox`);
}

/** A tmpfs has no limit on inodes of its own: there the memory limit holds, and may end the sandbox that filled it. */
async function fillInodes(world: HostileWorld, directory: string): Promise<Verdict> {
  const filler = await world.create();
  const files = String(world.limits.memoryMb * 3_000);
  const verdict = await attack(filler, "inode_filler", [directory, files], 110).catch(async (): Promise<Verdict> => {
    const { body } = await until("end of the filler's sandbox", async () => {
      const answer = await control(world.platform, "GET", `/v1/sandboxes/${filler.sandboxId}`);
      return answer.status === 410 && answer;
    });
    const reason = /"end_reason":"(\w+)"/.exec(JSON.stringify(body))?.[1] ?? "nothing";
    return judged(reason === "out_of_memory" || reason === "disk_full", `the sandbox ended: ${reason}`);
  });
  await filler.kill().catch(() => undefined);
  return verdict;
}

async function hogCpu({ attacker, limits }: HostileWorld): Promise<Verdict> {
  const marker = "cpu-hog-marker-5521";
  const hog = attacker.commands.run(attackCommand("cpu_hog", [String(limits.vcpu * 4), "3", marker]), { timeout: 60 });
  const process = await until("hog on the host", () =>
    processesWith(marker).find(({ command }) => command.startsWith("python3")),
  );
  const [quota, period, controller] = cpuQuota(cgroupsOf(process.pid));
  const used = Number(/USED ([\d.]+)/.exec((await hog).stdout)?.[1]);
  return judged(
    quota / period === limits.vcpu,
    `${controller}: quota ${quota / period} of a CPU each second, ${used} used`,
  );
}

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

export const attempts = attemptsOf("floods", [
  { tried: "fork bomb", must: "the process limit holds", run: ({ attacker }) => attack(attacker, "fork_bomb") },
  {
    tried: "fork bomb in bash that outlives its run",
    must: "the process limit holds, and it ends with its sandbox",
    run: bashBomb,
  },
  {
    tried: "memory hog",
    must: "the memory limit holds, the sandbox lives",
    run: ({ attacker, limits }) => attack(attacker, "memory_hog", [String(limits.memoryMb * 3)]),
  },
  ...everywhere.map((directory) => ({
    tried: `disk filler in ${directory}`,
    must: "the size of the disk or of the memory holds",
    async run({ attacker, limits }: HostileWorld) {
      const most = Math.max(limits.diskMb, limits.memoryMb) * 2;
      const verdict = await attack(attacker, "disk_filler", [directory, String(most)], 100);
      await attacker.commands.run(`rm -rf ${directory}/fill`);
      return verdict;
    },
  })),
  ...everywhere.map((directory) => ({
    tried: `inode filler in ${directory}`,
    must: "the number of inodes or the memory holds",
    run: (world: HostileWorld) => fillInodes(world, directory),
  })),
  { tried: "CPU hog", must: "the quota holds", run: hogCpu },
  {
    tried: "file descriptors without end",
    must: "a limit of its own processes, none of the host's",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        "import os\nn = 0\ntry:\n  while n < 2000000: os.dup(1); n += 1\nexcept OSError as e: print(e)\nprint('opened', n)",
      );
      return judged(seen.includes("Too many open files"), seen);
    },
  },
  {
    tried: "connections to the proxy without end",
    must: "a limit for each sandbox; others go on",
    async run({ attacker, victim, python, shell, web }) {
      const seen = await python(
        attacker,
        `
import socket
kept, refused = [], 0
for i in range(700):
    try:
        s = socket.create_connection(('127.0.0.1', 3128), 2); s.settimeout(3)
        s.sendall(b'CONNECT open.test:${web.port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
        if b' 200 ' in s.recv(100): kept.append(s)
        else: refused += 1
    except OSError: refused += 1
print('open', len(kept), 'refused', refused)
`,
        100,
      );
      const other = await shell(victim, `curl -s -m 5 -o /dev/null -w '%{http_code}' http://open.test:${web.port}/`);
      const open = Number(/open (\d+)/.exec(seen)?.[1] ?? "9999");
      return judged(open <= 256 && other === "200", `${seen} another sandbox: ${other}`);
    },
  },
  {
    tried: "300 MB of output of one command",
    must: "the agent keeps a bounded part of it",
    async run({ attacker }) {
      const { stdout } = await attacker.commands.run("head -c 300000000 /dev/zero | tr '\\0' 'x'", { timeout: 60 });
      return judged(stdout.length < 64_000_000, `${(stdout.length / 1e6).toFixed(1)} MB came back`);
    },
  },
  {
    tried: "zombies and sleeping threads",
    must: "they count towards the process limit",
    async run({ create, python }) {
      const sandbox = await create();
      const seen = await python(
        sandbox,
        "import os, threading, time\nn = 0\ntry:\n  while n < 20000:\n    if os.fork() == 0: os._exit(0)\n    n += 1\nexcept OSError as e: print(e)\nprint('made', n)",
        60,
      );
      await sandbox.kill();
      return judged(/made \d{1,3}\b/.test(seen), seen);
    },
  },
]);
