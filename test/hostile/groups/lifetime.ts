import { processesWith } from "#test/e2e/support/host.ts";
import { control } from "#test/e2e/support/http.ts";
import { until } from "#test/e2e/support/until.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

/** Waits for the end of a sandbox. @returns its end reason */
async function endOf({ platform }: HostileWorld, id: string): Promise<string> {
  const { body } = await until("end of the sandbox", async () => {
    const answer = await control(platform, "GET", `/v1/sandboxes/${id}`);
    return answer.status === 410 && answer;
  });
  return /"end_reason":"(\w+)"/.exec(JSON.stringify(body))?.[1] ?? "nothing";
}

export const attempts = attemptsOf("lifetime", [
  {
    tried: "survive the deadline: setsid, double fork, SIGTERM ignored, stopped",
    must: "everything ends at the deadline, on the host too",
    async run(world) {
      const marker = "776655443";
      const sandbox = await world.create({ timeout_seconds: 4 });
      await world.shell(
        sandbox,
        `(setsid setsid bash -c "trap '' TERM HUP INT; sleep ${marker} & kill -STOP \\$!; sleep ${marker}" >/dev/null 2>&1 &); true`,
      );
      const ran = await until("its processes on the host", () => processesWith(`sleep ${marker}`).length || undefined);
      const reason = await endOf(world, sandbox.sandboxId);
      await until("end of its processes", () => processesWith(marker).length === 0 && "none");
      return judged(
        reason === "timeout",
        `ended as ${reason}; ${ran} processes before, ${processesWith(marker).length} left`,
      );
    },
  },
  {
    tried: "fool the idle timer by a background process and an open, silent terminal",
    must: "neither is activity",
    async run(world) {
      const sandbox = await world.create({ idle_timeout_seconds: 4 });
      await world.shell(sandbox, "(sleep 1000 >/dev/null 2>&1 &)");
      const terminal = await sandbox.terminal.connect().catch(() => undefined);
      const reason = await endOf(world, sandbox.sandboxId);
      terminal?.close();
      return judged(reason === "idle", `ended as ${reason}${terminal === undefined ? "" : ", with a terminal open"}`);
    },
  },
  {
    tried: "set the clock back",
    must: "not permitted",
    async run({ attacker, shell }) {
      const seen = await shell(attacker, "date -s '2020-01-01' 2>&1; hwclock -w 2>&1 | head -1; date +%Y");
      return judged(/cannot set date: Operation not permitted/.test(seen) && !/^2020$/m.test(seen), seen);
    },
  },
  {
    tried: "come back by cron, at, systemd or a shell's start-up file of another sandbox",
    must: "none of them runs, nothing is shared",
    async run({ attacker, victim, shell }) {
      await shell(
        attacker,
        "echo 'touch /tmp/came-back' >> ~/.bashrc; echo 'touch /tmp/came-back' >> ~/.profile; (crontab -l; echo '* * * * * touch /tmp/came-back') 2>/dev/null | crontab - 2>&1; true",
      );
      const seen = await shell(victim, "ls -A ~ /tmp; ls /tmp/came-back 2>&1");
      await shell(attacker, "rm -f ~/.bashrc ~/.profile");
      return judged(!/^\/tmp\/came-back$/m.test(seen) && !seen.includes(".bashrc"), `in another sandbox: ${seen}`);
    },
  },
]);
