import type { ActiveTimers } from "../timers.ts";
import { killRun, signalProcess } from "./kill-run.ts";
import type { Marks } from "./marks.ts";
import type { RunRequest } from "./run.ts";

export interface SuperviseOptions {
  readonly marks: Marks;
  /** What timeouts are counted with. */
  readonly timers: Pick<ActiveTimers, "after">;
  /** Between SIGTERM and SIGKILL. @default 500 */
  readonly graceMs?: number;
}

export interface Supervisor {
  /** To be called after the end of the main process: nothing of a run that we stopped may live on. Says why we stopped it, if we did. */
  finish(): "timeout" | "abort" | undefined;
}

/** Watches the clock and the caller, and ends the run for either. */
export function supervise(
  { signal, timeoutMs }: Pick<RunRequest, "signal" | "timeoutMs">,
  { marks, timers, graceMs = 500 }: SuperviseOptions,
  group: number,
  mark: number,
): Supervisor {
  let stopped: "timeout" | "abort" | undefined;
  let killer: NodeJS.Timeout | undefined;
  const stop = (why: "timeout" | "abort") => {
    if (stopped !== undefined) return;
    stopped = why;
    signalProcess(-group, "SIGTERM");
    killer = setTimeout(() => killRun(group, mark, marks), graceMs);
  };
  const cancelTimeout = timers.after(timeoutMs, () => stop("timeout"));
  const onAbort = () => stop("abort");
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) stop("abort");
  return {
    finish() {
      cancelTimeout();
      clearTimeout(killer);
      signal.removeEventListener("abort", onAbort);
      if (stopped !== undefined) killRun(group, mark, marks);
      return stopped;
    },
  };
}
