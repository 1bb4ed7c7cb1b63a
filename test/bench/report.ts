import { cpus, release, totalmem } from "node:os";
import { table } from "#cli/output.ts";
import type { Summary } from "./statistics.ts";

/** One line of the result table. */
export interface Row {
  readonly what: string;
  /** As in the issue; absent for floors and peers. */
  readonly target?: string;
  readonly unit: "ms" | "MB/s" | "MB" | "/s" | "";
  /** null: could not be measured here, `note` says why. */
  readonly summary: Summary | null;
  readonly note?: string;
  /** Whether the target was met; absent without a target. */
  readonly met?: boolean;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly at: string;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    at: new Date().toISOString(),
  };
}

export function describeMachine({ cpu, cores, memoryGib, kernel, node }: Machine): string {
  return `${cores} × ${cpu}, ${memoryGib} GiB, Linux ${kernel}, Node ${node}`;
}

export function resultTable(rows: readonly Row[]): string {
  const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  return table(
    ["", "median", "p99", "n", "target", "", "note"],
    rows.map(({ what, target, unit, summary, note, met }) => [
      what,
      summary === null ? "-" : `${number(summary.median)} ${unit}`.trim(),
      summary === null || summary.n < 10 ? "-" : number(summary.p99),
      summary === null ? "-" : String(summary.n),
      target ?? "",
      met === undefined ? "" : met ? "met" : "MISSED",
      note ?? "",
    ]),
  );
}
