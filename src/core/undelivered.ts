import type { Clock } from "./ports.ts";

/** How long a sandbox waits for its caller to come back. */
const keepMs = 120_000;

/**
 * Creates whose caller hung up before the answer (docs/adr/002). `T` is what the create results in.
 */
export interface Undelivered<T> {
  /** Keeps the outcome for an equal request; `abandon` runs when none came. */
  keep(fingerprint: string, outcome: Promise<T>, abandon: (outcome: T) => void): void;
  /** Takes over a kept outcome, at most once each. */
  adopt(fingerprint: string): Promise<T> | undefined;
}

export function makeUndelivered<T>(clock: Clock): Undelivered<T> {
  const kept = new Map<string, { outcome: Promise<T>; cancel: () => void }[]>();

  function remove(fingerprint: string, outcome: Promise<T>): void {
    const left = (kept.get(fingerprint) ?? []).filter((entry) => entry.outcome !== outcome);
    if (left.length === 0) kept.delete(fingerprint);
    else kept.set(fingerprint, left);
  }

  return {
    keep(fingerprint, outcome, abandon) {
      const timer = clock.after(keepMs, () => {
        remove(fingerprint, outcome);
        // A create that failed left nothing to abandon.
        outcome.then(abandon, () => undefined);
      });
      kept.set(fingerprint, [...(kept.get(fingerprint) ?? []), { outcome, cancel: () => timer.cancel() }]);
      outcome.catch(() => {
        timer.cancel();
        remove(fingerprint, outcome);
      });
    },
    adopt(fingerprint) {
      const entry = kept.get(fingerprint)?.[0];
      if (entry === undefined) return undefined;
      entry.cancel();
      remove(fingerprint, entry.outcome);
      return entry.outcome;
    },
  };
}
