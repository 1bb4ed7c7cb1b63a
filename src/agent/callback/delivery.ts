import type { Logger } from "#telemetry/logger.ts";
import type { ActiveTimers } from "../timers.ts";
import type { Post } from "./post.ts";

/** Where a callback stands. It is read while it changes. */
export interface Delivery {
  readonly status: "waiting" | "delivering" | "delivered" | "failed";
  readonly attempts: number;
  /** Safe to show; null while nothing has gone wrong. */
  readonly lastError: string | null;
  /** Sends the body, again and again while the receiver cannot take it. Never rejects. */
  send(body: string): Promise<void>;
}

/** Between two attempts; each is shortened by up to a half, so that many do not come at once. */
const delaysMs = [1_000, 5_000, 25_000, 120_000];

export interface DeliveryOptions {
  readonly post: Post;
  readonly timers: Pick<ActiveTimers, "after">;
  readonly logger: Logger;
  /** From 0 to 1. @default Math.random */
  readonly random?: () => number;
}

export function makeDelivery({ post, timers, logger, random = Math.random }: DeliveryOptions): Delivery {
  let status: Delivery["status"] = "waiting";
  let attempts = 0;
  let lastError: string | null = null;

  const pause = (ms: number) => new Promise<void>((resolve) => void timers.after(ms * (1 - random() / 2), resolve));

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
        attempts += 1;
        const outcome = await post(body);
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
