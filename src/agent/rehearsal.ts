import type { AgentClock } from "./clock.ts";
import type { Runner } from "./exec/run.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { parseActivate } from "./parse.ts";

export interface RehearsalOptions {
  readonly lifecycle: Lifecycle;
  readonly run: Runner;
  readonly clock: AgentClock;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** An instance that is claimed at once has better things to do. */
const delayMs = 100;

/**
 * Goes once through what the first caller of a warm instance will need, activation and a command, so that their code is compiled and
 * their pages are in memory. Called for each look at the agent's state; only the first of a warm instance does anything.
 */
export function makeRehearsal({ lifecycle, run, clock, cwd, env }: RehearsalOptions): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    clock.after(delayMs, () => {
      if (lifecycle.sandbox() !== undefined) return;
      parseActivate({
        sandbox_id: "rehearsal",
        env: {},
        lease: { lifetime_at: 1, idle_ms: 1 },
        internet_access: false,
        resources: { vcpu: 1, memory_mb: 1, disk_mb: 1 },
      });
      const { signal } = new AbortController();
      // Nothing depends on it: a command that cannot run now tells its own caller later.
      run({ file: "/bin/true", args: [], cwd, env, timeoutMs: 5_000, signal }).catch(() => undefined);
    });
  };
}
