import { attack, hex } from "#test/e2e/support/attacks.ts";
import { processesWith } from "#test/e2e/support/host.ts";
import { attemptsOf, judged } from "../attempt.ts";

export const attempts = attemptsOf("neighbours", [
  {
    tried: "other sandboxes' files, processes and secrets",
    must: "none of them is there",
    async run({ attacker, victimMarker }) {
      if (processesWith("sleep 987654321").length === 0) return judged(false, "the victim's process is not there");
      return attack(attacker, "other_sandbox", [hex(victimMarker), hex("987654321")]);
    },
  },
  {
    tried: "shared memory, semaphores and message queues of others",
    must: "an IPC namespace of its own",
    async run({ attacker, victim, shell }) {
      await shell(
        victim,
        "python3 -c \"import mmap,os; fd=os.open('/dev/shm/theirs',66,0o666); os.write(fd,b'x')\"; ipcmk -M 4096 2>/dev/null",
      );
      const seen = await shell(
        attacker,
        "ls -A /dev/shm; tail -n +2 /proc/sysvipc/shm; tail -n +2 /proc/sysvipc/msg; tail -n +2 /proc/sysvipc/sem",
      );
      return judged(seen.trim() === "", seen || "nothing there");
    },
  },
  {
    tried: "a port that another sandbox listens on",
    must: "its loopback is its own",
    async run({ attacker, victim, shell, python }) {
      await shell(victim, "cd /tmp && (python3 -m http.server 8099 --bind 0.0.0.0 >/dev/null 2>&1 &) ; sleep 0.5");
      const seen = await python(
        attacker,
        "import socket\ns = socket.socket(); s.settimeout(2)\ntry:\n  s.connect(('127.0.0.1', 8099)); print('OPENED')\nexcept OSError as e: print(e)",
      );
      return judged(!seen.includes("OPENED"), seen);
    },
  },
  {
    tried: "files that an earlier sandbox left in /workspace, /tmp and /dev/shm",
    must: "each instance is new and used once",
    async run({ create, shell, victimMarker }) {
      const first = await create();
      await shell(
        first,
        `for d in /workspace /tmp /dev/shm; do yes left-${victimMarker} | head -c 20000000 > $d/left; done`,
      );
      await first.kill();
      const second = await create();
      const seen = await shell(second, "find /workspace /tmp /dev/shm -mindepth 1; echo looked");
      await second.kill();
      return judged(seen.trim() === "looked", seen);
    },
  },
]);
