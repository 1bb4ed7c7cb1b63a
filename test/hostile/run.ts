import type { Verdict } from "#test/e2e/support/attacks.ts";
import type { Attempt } from "./attempt.ts";
import { NeedsTheMachine } from "./remote.ts";
import type { HostileWorld } from "./world.ts";

export interface Row {
  readonly attempt: Attempt;
  readonly verdict: Verdict;
  /** Not made: why. */
  readonly skipped?: string;
}

/** Makes one attempt. The attacker's sandbox must answer afterwards, or it was not the attempt that was stopped. */
export async function make(world: HostileWorld, attempt: Attempt): Promise<Row> {
  let skipped: string | undefined;
  const verdict = await attempt.run(world).catch((error: unknown): Verdict => {
    if (error instanceof NeedsTheMachine) skipped = error.message;
    const text = error instanceof Error ? error.message : String(error);
    return { stopped: false, by: `the attempt itself failed: ${text.slice(0, 300)}` };
  });
  if (skipped !== undefined) return { attempt, verdict, skipped };
  if (!verdict.stopped) return { attempt, verdict };
  return (await answers(world))
    ? { attempt, verdict }
    : { attempt, verdict: { stopped: false, by: `${verdict.by}; the sandbox does not answer since` } };
}

async function answers({ attacker }: HostileWorld): Promise<boolean> {
  for (const giveUpAt = Date.now() + 15_000; Date.now() < giveUpAt; ) {
    const said = await attacker.commands.run("echo alive").catch(() => undefined);
    if (said?.stdout.trim() === "alive") return true;
  }
  return false;
}
