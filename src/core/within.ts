import type { Clock } from "./ports.ts";

/** What `work` came to, or "late" when `ms` pass first. The work goes on either way; its later failure is its owner's to handle. */
export async function within<T>(clock: Clock, work: Promise<T>, ms: number): Promise<{ readonly value: T } | "late"> {
  let cancel = () => {};
  const limit = new Promise<"late">((resolve) => {
    const timer = clock.after(ms, () => resolve("late"));
    cancel = () => timer.cancel();
  });
  try {
    return await Promise.race([work.then((value) => ({ value })), limit]);
  } finally {
    cancel();
  }
}
