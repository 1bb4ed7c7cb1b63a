import type { Sandbox } from "@hopx-ai/sdk";
import { Sandbox as Hopx } from "@hopx-ai/sdk";
import { control } from "#test/e2e/support/http.ts";
import { type RunningPlatform, startPlatform } from "#test/e2e/support/platform.ts";
import { until } from "#test/e2e/support/until.ts";
import type { Row } from "./report.ts";
import { frames, keystrokes, watchEvents } from "./sockets.ts";
import { type Summary, summarize, timed } from "./statistics.ts";

const heavy = "import numpy as np, pandas as pd, matplotlib.pyplot as plt\nprint(np.arange(3).sum())";
/** Without the interpreter that forks: one that starts and imports for each run. */
const heavyAlone = `python3 -c '${heavy.replace("\n", "; ")}'`;

/** What one live sandbox of `code-interpreter` takes for each kind of call, through the real client. */
export async function methods(n: number): Promise<Row[]> {
  const platform = await startPlatform({ flags: ["--pool", "base=0,code-interpreter=1"] });
  try {
    await until("prepared code-interpreter", () => isActive(platform), { timeoutMs: 220_000, everyMs: 500 });
    const sandbox = await Hopx.create({
      template: "code-interpreter",
      apiKey: platform.apiKey,
      baseURL: platform.url,
    });
    return [
      ...(await python(sandbox, n)),
      ...(await keystrokes(sandbox, n)),
      ...(await frames(sandbox)),
      ...(await watchEvents(sandbox, n)),
      ...(await freezing(sandbox, n)),
      ...(await stopping(platform, sandbox, Math.min(n, 20))),
    ];
  } finally {
    await platform.stop();
  }
}

async function isActive(platform: RunningPlatform): Promise<boolean> {
  const { body } = await control(platform, "GET", "/v1/templates/code-interpreter");
  return typeof body === "object" && body !== null && "status" in body && body.status === "active";
}

async function python(sandbox: Sandbox, n: number): Promise<Row[]> {
  const run = async (code: string) => {
    const { exit_code: code_, stderr } = await sandbox.runCode(code, { language: "python", timeout: 60 });
    if (code_ !== 0) throw new Error(stderr);
  };
  const cell = async () => {
    const { exit_code: code, stderr } = await sandbox.runIpython("x = 1 + 1");
    if (code !== 0) throw new Error(stderr);
  };
  const alone = await timed(Math.min(n, 10), () => sandbox.commands.run(heavyAlone, { timeout: 60 }));
  const bare = await timed(Math.min(n, 20), () => sandbox.commands.run("python3 -c 'print(1)'"));
  await timed(3, () => run(heavy));
  const rich = summarize(await timed(n, () => run(heavy)));
  await timed(3, () => run("print(1)"));
  const small = summarize(await timed(n, () => run("print(1)")));
  await timed(3, cell);
  const kept = summarize(await timed(n, cell));
  return [
    row("execute python, print(1)", "≤ 8 ms", small, small.median <= 8),
    { what: "  the same by an interpreter of its own", unit: "ms", summary: summarize(bare) },
    row("execute python, imports numpy, pandas, matplotlib", "≤ 40 ms", rich, rich.median <= 40),
    { what: "  the same by an interpreter of its own", unit: "ms", summary: summarize(alone) },
    row("one cell of the kept interpreter (ipython)", "≤ 6 ms", kept, kept.median <= 6),
  ];
}

async function freezing(sandbox: Sandbox, n: number): Promise<Row[]> {
  const paused: number[] = [];
  const resumed: number[] = [];
  for (let index = 0; index < n; index += 1) {
    const began = performance.now();
    await sandbox.pause();
    const middle = performance.now();
    await sandbox.resume();
    paused.push(middle - began);
    resumed.push(performance.now() - middle);
  }
  const [pause, resume] = [summarize(paused.slice(2)), summarize(resumed.slice(2))];
  return [row("pause", "≤ 20 ms", pause, pause.median <= 20), row("resume", "≤ 20 ms", resume, resume.median <= 20)];
}

/** From the request to stop to the answer of start: the sandbox runs then, with its files. */
async function stopping(platform: RunningPlatform, sandbox: Sandbox, n: number): Promise<Row[]> {
  const post = async (verb: string) => {
    const { status } = await control(platform, "POST", `/v1/sandboxes/${sandbox.sandboxId}/${verb}`);
    if (status !== 200) throw new Error(`${verb}: ${status}`);
  };
  const samples = await timed(n + 1, async () => {
    await post("stop");
    await post("start");
  });
  const summary = summarize(samples.slice(1));
  return [row("stop → start, files kept", "≤ 200 ms", summary, summary.median <= 200)];
}

function row(what: string, target: string, summary: Summary, met: boolean): Row {
  return { what, target, unit: "ms", summary, met };
}
