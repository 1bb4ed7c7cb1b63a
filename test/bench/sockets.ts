import type { Sandbox } from "@hopx-ai/sdk";
import type { Row } from "./report.ts";
import { summarize } from "./statistics.ts";

/** From sending a key to the frame that shows it, in a program that echoes. */
export async function keystrokes(sandbox: Sandbox, n: number): Promise<Row[]> {
  const socket = await sandbox.terminal.connect();
  const output = sandbox.terminal.output(socket);
  let seen = "";
  const untilSeen = async (text: string) => {
    while (!seen.includes(text)) {
      const next: IteratorResult<object> = await output.next();
      if (next.done === true) throw new Error("the terminal ended");
      seen += "data" in next.value && typeof next.value.data === "string" ? next.value.data : "";
    }
    seen = "";
  };
  sandbox.terminal.sendInput(socket, "echo rea''dy; cat\n");
  await untilSeen("ready");
  const samples: number[] = [];
  for (let index = 0; index < n * 5; index += 1) {
    const began = performance.now();
    sandbox.terminal.sendInput(socket, "k");
    await untilSeen("k");
    samples.push(performance.now() - began);
  }
  socket.close();
  const summary = summarize(samples.slice(10));
  return [
    {
      ...{ what: "terminal, key to echo", target: "≤ 3 ms, p99 ≤ 15", unit: "ms" as const, summary },
      met: summary.median <= 3 && summary.p99 <= 15,
    },
  ];
}

const lines = 10_000;

/** Frames of a program that prints as fast as it can, counted and compared by the client. */
export async function frames(sandbox: Sandbox): Promise<Row[]> {
  const rates: number[] = [];
  let lost = 0;
  for (let round = 0; round < 5; round += 1) {
    let first = 0;
    let text = "";
    let count = 0;
    const stream = sandbox.runCodeStream(`for i in range(${lines}): print(i)`, { language: "python", timeout: 60 });
    for await (const message of stream) {
      if (message.type !== "stdout") continue;
      if (count === 0) first = performance.now();
      count += 1;
      text += "data" in message ? message.data : "";
    }
    rates.push((count / (performance.now() - first)) * 1000);
    if (text !== Array.from({ length: lines }, (_, index) => `${index}\n`).join("")) lost += 1;
  }
  const summary = summarize(rates);
  return [
    {
      ...{ what: `stream, frames of ${lines} lines`, target: "≥ 20,000/s, none lost", unit: "/s" as const, summary },
      note: lost === 0 ? "all there, in order" : `${lost} rounds with frames lost or out of order`,
      met: summary.median >= 20_000 && lost === 0,
    },
  ];
}

/** From the answer of a write to the event of it; events that come before the answer count as zero. */
export async function watchEvents(sandbox: Sandbox, n: number): Promise<Row[]> {
  await sandbox.files.mkdir("/workspace/watched");
  const events = sandbox.watchFiles("/workspace/watched");
  const samples: number[] = [];
  let name = "";
  let arrived: () => void = () => {};
  const reading = (async () => {
    for await (const event of events) if (name !== "" && "path" in event && event.path.endsWith(name)) arrived();
  })();
  reading.catch(() => undefined);
  for (let index = 0; index < n; index += 1) {
    name = `file-${index}`;
    let at = 0;
    const came = new Promise<void>((resolve) => {
      arrived = () => {
        at ||= performance.now();
        resolve();
      };
    });
    const write = () => sandbox.files.write(`/workspace/watched/${name}`, "x");
    // The first write is repeated until the watch stands: the client does not say when it does.
    const repeat = index === 0 ? setInterval(() => void write(), 100) : undefined;
    await write();
    const written = performance.now();
    await came;
    clearInterval(repeat);
    if (index > 0) samples.push(Math.max(0, at - written));
  }
  void events.return?.(undefined);
  const summary = summarize(samples);
  return [{ what: "watch, write to event", target: "≤ 20 ms", unit: "ms", summary, met: summary.median <= 20 }];
}
