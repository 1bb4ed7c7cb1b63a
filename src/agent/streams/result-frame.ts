import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "../clock.ts";
import type { RichOutput, RichResult } from "../exec/run.ts";

/** Python's `websockets`, which the published client uses with its defaults, breaks off at a longer message. */
const pythonMessageBytes = 1024 * 1024;
/** For the other fields of the frame. */
const reservedBytes = 16 * 1024;

/** Bytes that the rich output of one result may take. @param userAgent of the upgrade */
export function richLimitOf(userAgent: string | undefined): number {
  return userAgent?.includes("websockets/") === true ? pythonMessageBytes - reservedBytes : Infinity;
}

/** What fits, the smallest first, and the names of what was left out. */
function fitting(rich: RichOutput, limit: number): { readonly kept: RichOutput; readonly dropped: readonly string[] } {
  if (limit === Infinity) return { kept: rich, dropped: [] };
  const sized = Object.entries(rich).map(([name, value]) => ({
    name,
    value: value as unknown,
    bytes: Buffer.byteLength(JSON.stringify(value)),
  }));
  let left = limit;
  const kept: [string, unknown][] = [];
  const dropped: string[] = [];
  for (const { name, value, bytes } of sized.sort((a, b) => a.bytes - b.bytes)) {
    left -= bytes;
    if (left >= 0) kept.push([name, value]);
    else dropped.push(name);
  }
  return { kept: Object.fromEntries(kept), dropped };
}

/** The frame that tells how a run ended, and the names of rich output that had no room in it. */
export function resultFrame(result: RichResult, clock: Pick<AgentClock, "now">, limit: number) {
  const { kept, dropped } = fitting(result.rich ?? {}, limit);
  const frame = {
    type: "result" as const,
    success: result.exitCode === 0,
    exit_code: result.exitCode,
    execution_time: Math.round(result.durationMs) / 1000,
    timestamp: toRfc3339(clock.now()),
    ...(result.timedOut ? { timed_out: true as const } : {}),
    ...kept,
  };
  return { frame, dropped };
}
