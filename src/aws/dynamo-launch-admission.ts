import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import type { LaunchAdmission } from "#core/ports.ts";
import { call, isConditionFailure, storeFailure } from "./failures.ts";
import { readItem, type TableDeps } from "./table-access.ts";

export interface LaunchAdmissionDeps extends TableDeps {
  /** Launches per second that the line moves by. */
  readonly perSecond: number;
  /** Launches at once after a rest. */
  readonly burst: number;
}

const key = { pk: "ADMISSION#LAUNCHES", sk: "ADMISSION" };
const itemSchema = z.object({ nextAt: z.number() });
/** Whoever is turned away comes back within this after it makes sense at the earliest. */
const leastSpreadMs = 5_000;
const mostRetrySeconds = 60;

/**
 * One line for the launches of all functions: the generic cell rate algorithm on one item. `nextAt` is when the line is served if it
 * moves at `perSecond`; it may run ahead of the time by `burst` launches before anybody waits. It only ever grows, so that two
 * conditional updates decide every case, however many ask at once: none has to be repeated because another won.
 */
export function makeDynamoLaunchAdmission(deps: LaunchAdmissionDeps): LaunchAdmission {
  const { clock } = deps;
  const step = 1000 / deps.perSecond;
  const ahead = (deps.burst - 1) * step;

  /** @returns the place taken, or null when the condition does not hold */
  async function take(update: string, condition: string, values: Record<string, number>): Promise<number | null> {
    try {
      const { Attributes } = await deps.client.send(
        new UpdateCommand({
          TableName: deps.table,
          Key: key,
          UpdateExpression: update,
          ConditionExpression: condition,
          ExpressionAttributeValues: values,
          ReturnValues: "UPDATED_NEW",
        }),
      );
      return itemSchema.parse(Attributes).nextAt - step;
    } catch (thrown) {
      if (isConditionFailure(thrown)) return null;
      throw storeFailure(thrown);
    }
  }

  async function turnedAway(now: number, maxWaitMs: number): Promise<{ retryAfterSeconds: number }> {
    const item = await call(() => readItem(deps, key, itemSchema));
    const line = Math.max(0, (item?.nextAt ?? now) - now);
    const earliest = Math.max(0, line - ahead - maxWaitMs);
    // Those turned away together come back spread over as long as the line is now.
    const spread = Math.max(leastSpreadMs, line) * fraction(clock.random(4));
    const seconds = Math.max(1, Math.ceil((earliest + spread) / 1000));
    return { retryAfterSeconds: Math.min(seconds, mostRetrySeconds) };
  }

  return {
    async admit(maxWaitMs) {
      const now = clock.now();
      const idle = "attribute_not_exists(nextAt) OR nextAt <= :now";
      if ((await take("SET nextAt = :next", idle, { ":now": now, ":next": now + step })) !== null) return { waitMs: 0 };
      const last = now + ahead + maxWaitMs;
      const place = await take("SET nextAt = nextAt + :step", "nextAt <= :last", { ":step": step, ":last": last });
      if (place !== null) return { waitMs: Math.max(0, Math.ceil(place - ahead - now)) };
      return turnedAway(now, maxWaitMs);
    },
  };
}

/** In [0, 1). */
function fraction(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32BE(0) / 2 ** 32;
}
