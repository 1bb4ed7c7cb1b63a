/** How many WebSockets of callers are open. */
export interface OpenSockets {
  readonly count: number;
  /** Counts one more until `closed` aborts. */
  add(closed: AbortSignal): void;
}

export function makeOpenSockets(): OpenSockets {
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(closed) {
      count += 1;
      closed.addEventListener("abort", () => (count -= 1), { once: true });
    },
  };
}
