import type { CoreEvent, Events } from "./ports.ts";

/** Listeners in this process, called in order of subscription. */
export function makeEvents(): Events {
  const listeners = new Set<(event: CoreEvent) => void>();
  return {
    publish(event) {
      for (const listener of listeners) listener(event);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
