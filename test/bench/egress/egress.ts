import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Row } from "../report.ts";
import { summarize, timed } from "../statistics.ts";
import type { FromProxy, Setting, ToProxy } from "./messages.ts";
import { policyChange } from "./policy-change.ts";
import { direct, ping, pull, requests, through, type Way } from "./ways.ts";

interface Proxy {
  readonly way: Way;
  readonly caPem: string;
  ask<K extends "memory" | "rows">(what: K & ToProxy): Promise<Extract<FromProxy, { kind: K }>>;
  readonly process: ChildProcess;
}

/** The way out beside a direct connection and the smallest CONNECT proxy, in one run. */
export async function egress(few: boolean): Promise<Row[]> {
  const server = fork(new URL("./server-process.ts", import.meta.url), { execArgv: process.execArgv });
  const [ports] = (await once(server, "message")) as [{ echo: number; https: number; caPem: string }];
  const plain = await startProxy({ kind: "plain" }, "plain proxy");
  const ours = await startProxy({ kind: "ours", trusted: ports.caPem, boundPort: ports.https }, "egress proxy");
  try {
    const ways = [direct, plain.way, ours.way];
    return [
      ...(await connections(ways, ports.echo, few ? 100 : 1_000)),
      ...(await throughput(ways, ports.echo, few ? 2 : 5)),
      ...(await intercepted(ports, plain, ours, few ? 100 : 1_000)),
      ...(await rates([plain, ours], ports.echo, few ? 2_000 : 20_000)),
      ...(await memory(ours, ports.echo, few ? 5_000 : 100_000)),
      await policyChange(few ? 3 : 20),
    ];
  } finally {
    for (const child of [server, plain.process, ours.process]) child.kill("SIGKILL");
  }
}

async function startProxy(setting: Setting, name: string): Promise<Proxy> {
  const child = fork(new URL("./proxy-process.ts", import.meta.url), {
    execArgv: [...process.execArgv, "--expose-gc"],
  });
  child.send(setting);
  const [ready] = (await once(child, "message")) as [Extract<FromProxy, { kind: "ready" }>];
  return {
    way: through(name, ready.path),
    caPem: ready.caPem,
    process: child,
    ask: (what) =>
      new Promise((resolve) => {
        child.once("message", (answer) => resolve(answer as never));
        child.send(what);
      }),
  };
}

/** Taken in turns, so that what else the machine does falls on all alike. */
async function connections(ways: readonly Way[], port: number, n: number): Promise<Row[]> {
  const samples = ways.map((): number[] => []);
  for (let round = 0; round < n / 20; round += 1) {
    for (const [index, way] of ways.entries()) samples[index]?.push(...(await timed(20, () => ping(way, port))));
  }
  const base = summarize(samples[0] ?? []).median;
  return ways.map((way, index) => {
    const summary = summarize(samples[index] ?? []);
    const added = summary.median - base;
    const what = `connection and a byte back: ${way.name}`;
    if (way.name !== "egress proxy") return { what, unit: "ms", summary };
    return {
      what,
      unit: "ms",
      summary,
      target: "≤ 1.5 ms added",
      met: added <= 1.5,
      note: `${added.toFixed(2)} ms added`,
    };
  });
}

async function throughput(ways: readonly Way[], port: number, n: number): Promise<Row[]> {
  const samples = ways.map((): number[] => []);
  for (let round = 0; round < n; round += 1) {
    for (const [index, way] of ways.entries()) samples[index]?.push(await pull(way, port, 1_024));
  }
  const base = summarize(samples[0] ?? []).median;
  return ways.map((way, index) => {
    const summary = summarize(samples[index] ?? []);
    const note = `${Math.round((summary.median / base) * 100)} % of direct`;
    const what = `1 GiB down: ${way.name}`;
    if (way.name !== "egress proxy") return { what, unit: "MB/s", summary, note };
    return { what, unit: "MB/s", summary, note, target: "≥ 800 MB/s", met: summary.median >= 800 };
  });
}

async function intercepted(
  ports: { https: number; caPem: string },
  plain: Proxy,
  ours: Proxy,
  n: number,
): Promise<Row[]> {
  const tunnelled = await requests(plain.way, ports.https, ports.caPem);
  const ended = await requests(ours.way, ports.https, ours.caPem);
  const samples: [number[], number[]] = [[], []];
  for (let round = 0; round < n / 20; round += 1) {
    samples[0].push(...(await timed(20, () => tunnelled.ask())));
    samples[1].push(...(await timed(20, () => ended.ask())));
  }
  tunnelled.close();
  ended.close();
  const [without, withSecret] = [summarize(samples[0]), summarize(samples[1])];
  const added = withSecret.median - without.median;
  return [
    { what: "HTTPS request on a kept connection: plain proxy", unit: "ms", summary: without },
    {
      ...{ what: "the same, TLS ended and a secret put in", unit: "ms", summary: withSecret },
      ...{ target: "≤ 5 ms added", met: added <= 5, note: `${added.toFixed(2)} ms added` },
    },
  ];
}

async function rates(proxies: readonly Proxy[], port: number, n: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const proxy of proxies) {
    const ours = proxy.way.name === "egress proxy";
    const before = ours ? (await proxy.ask("rows")).rows : 0;
    const perSecond = await flood(proxy.way, port, n);
    const summary = summarize([perSecond]);
    const what = `connections one after the other, 50 at once: ${proxy.way.name}`;
    if (!ours) rows.push({ what, unit: "/s", summary });
    else {
      const recorded = (await proxy.ask("rows")).rows - before;
      const note = `${recorded} of ${n} on record`;
      rows.push({
        what,
        unit: "/s",
        summary,
        note,
        target: "≥ 2000/s, complete",
        met: perSecond >= 2_000 && recorded === n,
      });
    }
  }
  return rows;
}

/** @returns connections per second */
async function flood(way: Way, port: number, n: number): Promise<number> {
  let begun = 0;
  const began = performance.now();
  const worker = async () => {
    while (begun < n) {
      begun += 1;
      await ping(way, port);
    }
  };
  await Promise.all(Array.from({ length: 50 }, worker));
  return n / ((performance.now() - began) / 1_000);
}

async function memory(ours: Proxy, port: number, n: number): Promise<Row[]> {
  await flood(ours.way, port, n / 10);
  const before = (await ours.ask("memory")).bytes / 1e6;
  await flood(ours.way, port, (n * 9) / 10);
  const after = (await ours.ask("memory")).bytes / 1e6;
  const note = `${before.toFixed(1)} MB after the first tenth`;
  const met = after <= before * 1.15;
  return [
    {
      what: `heap of the proxy after ${n} connections`,
      unit: "MB",
      summary: summarize([after]),
      note,
      target: "flat",
      met,
    },
  ];
}
