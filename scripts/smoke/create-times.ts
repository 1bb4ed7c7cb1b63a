import { Sandbox } from "@hopx-ai/sdk";
import type { Connection } from "./client-story.ts";
import type { Journal } from "./journal.ts";

/** A create that answered sooner than this had a warm instance: a task takes many seconds to start (aws-facts §1.5). */
const warmBelowMs = 3000;

interface Timed {
  readonly create: number;
  readonly firstCommand: number;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

function say(values: readonly number[]): string {
  const [p50, p95] = [percentile(values, 0.5), percentile(values, 0.95)];
  return `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, ${values.length} times`;
}

/** Times `count` creates one after the other, each up to its first command, and writes warm and cold ones apart. */
export async function createTimes(
  journal: Journal,
  connection: Connection,
  template: string,
  count: number,
): Promise<void> {
  journal.section("create");
  const times: Timed[] = [];
  for (let number = 1; number <= count; number += 1)
    times.push(await journal.step(`create and command ${number} of ${count}`, () => once(connection, template)));
  const warm = times.filter(({ create }) => create < warmBelowMs);
  const cold = times.filter(({ create }) => create >= warmBelowMs);
  for (const [name, list] of [["warm", warm] as const, ["cold", cold] as const]) {
    if (list.length === 0) {
      journal.write(`${name} create`, "skipped", `none of ${count} was ${name}`);
      continue;
    }
    journal.write(`${name} create`, "measured", say(list.map(({ create }) => create)));
    journal.write(`${name} create → first command`, "measured", say(list.map(({ firstCommand }) => firstCommand)));
  }
}

async function once(connection: Connection, template: string): Promise<Timed> {
  const began = performance.now();
  const sandbox = await Sandbox.create({ template, timeoutSeconds: 900, ...connection });
  try {
    const create = performance.now() - began;
    await sandbox.commands.run("true", { timeout: 180 });
    return { create, firstCommand: performance.now() - began };
  } finally {
    await sandbox.kill();
  }
}
