import type { Logger } from "#telemetry/logger.ts";
import type { ActiveTimers } from "../timers.ts";
import type { Outcome, Post } from "./post.ts";
import type { InTurn } from "./turns.ts";

/** Where a callback stands. It is read while it changes. */
export interface Delivery {
  readonly status: "waiting" | "delivering" | "delivered" | "failed";
  readonly attempts: number;
  /** Safe to show; null while nothing has gone wrong. */
  readonly lastError: string | null;
  /**
   * Sends the body, again and again while the receiver cannot take it. Never rejects.
   * @param body makes it anew for each attempt, so that what waits for its turn takes no room
   */
  send(body: () => string): Promise<void>;
}

/** Between two attempts; each is shortened by up to a half, so that many do not come at once. */
const delaysMs = [1_000, 5_000, 25_000, 120_000];

export interface DeliveryOptions {
  readonly post: Post;
  readonly timers: Pick<ActiveTimers, "after">;
  readonly logger: Logger;
  /** Limits how many attempts of a sandbox go on at once. */
  readonly inTurn: InTurn;
  /** From 0 to 1. @default Math.random */
  readonly random?: () => number;
}

export function makeDelivery({ post, timers, logger, inTurn, random = Math.random }: DeliveryOptions): Delivery {
  let status: Delivery["status"] = "waiting";
  let attempts = 0;
  let lastError: string | null = null;

  const pause = (ms: number) => new Promise<void>((resolve) => void timers.after(ms * (1 - random() / 2), resolve));

  async function attempt(body: () => string): Promise<Outcome> {
    attempts += 1;
    try {
      return await post(body());
    } catch (error) {
      logger.error("callback could not be sent", { error });
      return { kind: "refused", why: "it could not be sent" };
    }
  }

  return {
    get status() {
      return status;
    },
    get attempts() {
      return attempts;
    },
    get lastError() {
      return lastError;
    },
    async send(body) {
      status = "delivering";
      for (;;) {
        const outcome = await inTurn(() => attempt(body));
        if (outcome.kind === "taken") {
          status = "delivered";
          return;
        }
        lastError = outcome.why;
        const delay = delaysMs[attempts - 1];
        if (outcome.kind === "refused" || delay === undefined) break;
        await pause(delay);
      }
      status = "failed";
      logger.info("callback not delivered", { attempts, why: lastError });
    },
  };
}
