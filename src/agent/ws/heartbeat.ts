import type { AgentClock } from "../clock.ts";

/** Proxies on the way give up on a connection that is silent for a minute. */
const everyMs = 20_000;
const roundsUnanswered = 2;

export interface Heartbeat {
  /** The peer has shown that it lives. */
  seen(): void;
  stop(): void;
}

export interface HeartbeatOptions {
  readonly clock: AgentClock;
  readonly ping: () => void;
  /** Whether an answer can be expected: not while the ping waits behind other bytes, or while nobody reads the answers. */
  readonly answerable: () => boolean;
  readonly onDead: () => void;
}

/** Pings an idle connection so that it outlives the proxies on its way, and finds out when nobody is at the other end any more. */
export function startHeartbeat({ clock, ping, answerable, onDead }: HeartbeatOptions): Heartbeat {
  let unanswered = 0;
  let cancel = clock.after(everyMs, beat);

  function beat(): void {
    if (!answerable()) unanswered = 0;
    if (unanswered >= roundsUnanswered) {
      onDead();
      return;
    }
    unanswered += 1;
    cancel = clock.after(everyMs, beat);
    ping();
  }

  return {
    seen() {
      unanswered = 0;
    },
    stop: () => cancel(),
  };
}
