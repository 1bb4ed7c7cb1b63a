import type { OutputListener, RichResult, Runner, RunPython, RunResult } from "../exec/run.ts";
import { type Fields, isFields } from "../fields.ts";
import { notesOf, richOf } from "./rich-report.ts";

export interface RunPythonOptions {
  readonly run: Runner;
  /** Directory of helper programs in the agent's own view; python/run.py is below it. */
  readonly tools: string;
}

/** All kinds of output together; run.py caps each one lower. */
export const reportLimit = 48 * 2 ** 20;

/** User code may write to the descriptor too, so a report is anything until it was looked at. */
function parseReport(bytes: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function withNotes(result: RunResult, notes: readonly string[], onOutput: OutputListener | undefined): RunResult {
  if (notes.length === 0) return result;
  const { stderr } = result;
  const start = stderr === "" || stderr.endsWith("\n") ? "" : "\n";
  const text = start + notes.map((note) => `[bulkhead] ${note}\n`).join("");
  void onOutput?.("stderr", Buffer.from(text));
  return { ...result, stderr: stderr + text };
}

/** A run of run.py with what its report says. */
export function reportedBy(result: RunResult, onOutput: OutputListener | undefined): RichResult {
  // It was not started.
  if (result.pid === 0) return result;
  if (result.report === undefined) {
    return withNotes(result, ["rich output left out: it is too large"], onOutput);
  }
  if (result.report.length === 0) return result;
  const report = parseReport(result.report);
  // Usually a run that was killed while it reported.
  if (report === undefined) return result;
  return { ...withNotes(result, notesOf(report["notes"]), onOutput), rich: richOf(report) };
}

/** Python whose plots, tables and last value come back beside its output. Each run is a fresh process. */
export function makeRunPython({ run, tools }: RunPythonOptions): RunPython {
  return async (request) => {
    const result = await run({ ...request, args: [`${tools}/python/run.py`], reportLimit });
    return reportedBy(result, request.onOutput);
  };
}
