import { setTimeout as pause } from "node:timers/promises";

export interface UntilOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** Hand errors of the probe on at once instead of trying again. */
  readonly throwErrors?: boolean;
}

/** Polls until `probe` answers something other than undefined or false; fails with `what` and the last error at the deadline. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 20_000, everyMs = 50, throwErrors = false }: UntilOptions = {},
): Promise<T> {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      if (throwErrors) throw error;
      last = error;
    }
    if (Date.now() > end) throw new Error(`no ${what} within ${timeoutMs} ms`, { cause: last });
    await pause(everyMs);
  }
}
