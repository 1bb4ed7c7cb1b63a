import { processesWith } from "#test/e2e/support/host.ts";
import { until } from "#test/e2e/support/until.ts";
import { attemptsOf, judged } from "../attempt.ts";

export const attempts = attemptsOf("processes", [
  {
    tried: "see and signal processes of the host",
    must: "a PID namespace of its own",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import os, signal
visible = [int(p) for p in os.listdir('/proc') if p.isdigit()]
hit = []
for pid in range(1, 40000):
    if pid in visible: continue
    try: os.kill(pid, 0); hit.append(pid)
    except OSError: pass
print(len(visible), 'visible, reached', hit)
`,
      );
      return judged(seen.includes("reached []") && Number(seen.split(" ")[0]) < 60, seen);
    },
  },
  {
    tried: "send every signal to everything (kill -1)",
    must: "the agent and its helpers live on",
    async run({ create, shell, python }) {
      const sandbox = await create();
      await python(
        sandbox,
        "import os, signal\nfor s in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):\n  try: os.kill(-1, s)\n  except OSError as e: print(e)",
      ).catch(() => "");
      const seen = await shell(sandbox, "echo alive");
      await sandbox.kill();
      return judged(seen.trim() === "alive", `afterwards the sandbox says ${seen}`);
    },
  },
  {
    tried: "outlive a killed run by double fork and setsid",
    must: "every process carries its run's mark and ends with it",
    async run({ attacker }) {
      const marker = "334455667";
      const left = () => processesWith(`sleep ${marker}`).length;
      const running = attacker.commands
        .run(`(setsid bash -c "trap '' TERM HUP; sleep ${marker} & wait" &) ; sleep 30`, { timeout: 2 })
        .catch(() => undefined);
      const ran = await until("its processes on the host", () => left() || undefined);
      await running;
      await until("end of what was left", () => left() === 0 && "none");
      return judged(left() === 0, `${ran} on the host during the run, ${left()} after its timeout`);
    },
  },
  {
    tried: "a better place in the line of the out-of-memory killer, real-time and negative nice",
    must: "not permitted",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "(echo -900 > /proc/self/oom_score_adj) 2>&1; chrt -f 50 true 2>&1; nice -n -10 sh -c 'cat /proc/self/stat | cut -d\" \" -f19' 2>&1; ulimit -Hn; ulimit -n 2000000 2>&1",
      );
      return judged(/denied|not permitted/i.test(seen) && !/^-10$/m.test(seen), seen);
    },
  },
  {
    tried: "its own cgroup: move out, raise the limits",
    must: "there is no cgroup file system to write to",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "ls /sys/fs/cgroup 2>&1 | head -3; (echo max > /sys/fs/cgroup/memory.max) 2>&1; (echo $$ > /sys/fs/cgroup/cgroup.procs) 2>&1; mount -t cgroup2 none /tmp 2>&1; mkdir -p /tmp/cg && mount -t cgroup -o memory none /tmp/cg 2>&1",
      );
      return judged(!/memory\.max$|cgroup\.procs$/m.test(seen), seen);
    },
  },
  {
    tried: "the first process of its namespace: memory, maps, root, environment",
    must: "another user's",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "for f in environ maps mem root/etc/passwd cwd fd stack; do cat /proc/1/$f >/dev/null 2>&1 && echo READ $f; ls /proc/1/$f/ >/dev/null 2>&1 && echo LISTED $f; done; echo done",
      );
      return judged(seen.trim() === "done", seen);
    },
  },
]);
