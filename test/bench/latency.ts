import { Sandbox } from "@hopx-ai/sdk";
import { startPlatform } from "#test/e2e/support/platform.ts";
import { type Connection, create, createAndRun, each, echo } from "./client.ts";
import { anonymousMemory, anonymousOf, pssOf } from "./memory.ts";
import { instanceProcesses, poolSettled, refilled } from "./pool.ts";
import type { Row } from "./report.ts";
import { type Summary, summarize, timed } from "./statistics.ts";

/** Create → first command with a filled pool and a quiet machine, then one more command on a live sandbox. */
export async function warm(n: number): Promise<Row[]> {
  const size = 4;
  const platform = await startPlatform({ flags: ["--no-code-interpreter", "--pool", `base=${size}`] });
  try {
    const connection = { baseURL: platform.url, apiKey: platform.apiKey };
    const settled = await poolSettled(platform, size);
    const samples: number[] = [];
    const controlOnly: number[] = [];
    for (let index = 0; index < n + 3; index += 1) {
      const began = performance.now();
      const sandbox = await create(connection);
      const created = performance.now();
      await echo(sandbox);
      // The first three also pay for the client's own warm-up (module loading, first connection).
      if (index >= 3) samples.push(performance.now() - began);
      if (index >= 3) controlOnly.push(created - began);
      await sandbox.kill();
      await refilled(platform, settled);
    }
    const live = await createAndRun(connection);
    const commands = summarize((await timed(n * 5 + 20, () => echo(live))).slice(20));
    const first = summarize(samples);
    return [
      row("create → first command, warm", "≤ 30 ms, p99 ≤ 120", first, first.median <= 30 && first.p99 <= 120),
      { what: "  of it: create", unit: "ms", summary: summarize(controlOnly) },
      row("one more command on a live sandbox", "≤ 6 ms", commands, commands.median <= 6),
    ];
  } finally {
    await platform.stop();
  }
}

/** Create → first command when nothing is warm. */
export async function cold(n: number): Promise<Row[]> {
  const platform = await startPlatform({ flags: ["--no-code-interpreter", "--pool", "base=0"] });
  try {
    const connection = { baseURL: platform.url, apiKey: platform.apiKey };
    const samples: number[] = [];
    for (let index = 0; index < n + 1; index += 1) {
      const began = performance.now();
      const sandbox = await createAndRun(connection);
      if (index > 0) samples.push(performance.now() - began);
      await sandbox.kill();
      await refilled(platform, 0);
    }
    const summary = summarize(samples);
    return [row("create → first command, cold", "≤ 150 ms", summary, summary.median <= 150)];
  } finally {
    await platform.stop();
  }
}

/** 100 at once, then 200 live, and what an idle instance costs. */
export async function crowd(burst: number, live: number): Promise<Row[]> {
  const before = anonymousMemory();
  const platform = await startPlatform({ flags: ["--no-code-interpreter", "--pool", `base=${burst}`] });
  try {
    const connection = { baseURL: platform.url, apiKey: platform.apiKey };
    await poolSettled(platform, burst);
    const memory = idleMemory(platform.pid, platform.platformPid, instanceProcesses(platform), burst, before);
    // A platform that has served a while: the first creates of a process also pay for its compilation.
    for (let index = 0; index < 30; index += 1) await (await create(connection)).kill();
    await poolSettled(platform, burst);
    const { samples, failures, wall } = await createAtOnce(connection, burst);
    const summary = summarize(samples);
    const note = `${failures} failed, max ${summary.max.toFixed(0)} ms, all after ${wall.toFixed(0)} ms`;
    return [
      {
        ...row(
          `${burst} creates at once, pool of ${burst}`,
          "≤ 400 ms, none failed",
          summary,
          summary.median <= 400 && failures === 0,
        ),
        note,
      },
      ...memory,
      await allAlive(connection, burst - failures, live),
    ];
  } finally {
    await platform.stop();
  }
}

function row(what: string, target: string, summary: Summary, met: boolean): Row {
  return { what, target, unit: "ms", summary, met };
}

async function createAtOnce(connection: Connection, burst: number) {
  const began = performance.now();
  const outcomes = await Promise.allSettled(
    Array.from({ length: burst }, async () => {
      const start = performance.now();
      await create(connection);
      return performance.now() - start;
    }),
  );
  const samples = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  return { samples, failures: burst - samples.length, wall: performance.now() - began };
}

/** Makes sandboxes until `live` of them are there, then asks every one of them for a command. */
async function allAlive(connection: Connection, have: number, live: number): Promise<Row> {
  const what = `${live} sandboxes live at once, each answers`;
  const fresh = await each(Array.from({ length: live - have }), 4, () => create(connection).catch(() => undefined));
  const ids = await runningIds(connection);
  const sandboxes = await each(ids, 4, (id) => connect(connection, id));
  const samples: number[] = [];
  const answers = await each(sandboxes, 8, async (sandbox) => {
    const began = performance.now();
    const alive = await echo(sandbox).then(
      () => true,
      () => false,
    );
    samples.push(performance.now() - began);
    return alive;
  });
  const alive = answers.filter(Boolean).length;
  const refused = fresh.filter((sandbox) => sandbox === undefined).length;
  const note = `${alive} answered${refused > 0 ? `, ${refused} creates failed` : ""}; time of a command, 8 at once`;
  return { what, target: String(live), unit: "ms", summary: summarize(samples), note, met: alive >= live };
}

async function runningIds({ baseURL, apiKey }: Connection): Promise<string[]> {
  const ids: string[] = [];
  for await (const sandbox of Sandbox.iter({ baseURL, apiKey, status: "running" })) ids.push(sandbox.sandboxId);
  return ids;
}

function connect({ baseURL, apiKey }: Connection, id: string): Promise<Sandbox> {
  return Sandbox.connect(id, apiKey, baseURL);
}

function idleMemory(
  pid: number,
  platformPid: number,
  instances: readonly { readonly pid: number }[],
  count: number,
  before: number,
): Row[] {
  const shared = instances.reduce((sum, { pid: member }) => sum + pssOf(member), 0) / count;
  const own = (anonymousMemory() - before - anonymousOf(pid) - anonymousOf(platformPid)) / count;
  const one = (value: number): Summary => ({ n: count, median: value, p99: value, max: value });
  return [
    {
      what: "idle instance, proportional set size",
      target: "≤ 12 MB",
      unit: "MB",
      summary: one(shared),
      met: shared <= 12,
      note: `mean of ${count}`,
    },
    { what: "idle instance, anonymous pages of the host", unit: "MB", summary: one(own), note: `mean of ${count}` },
  ];
}
