/** Time as the agent reads it; tests pass their own. */
export interface AgentClock {
  /** Epoch milliseconds. */
  now(): number;
  /** Calls back once; the returned function calls it off. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemClock: AgentClock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
