import type { Logger } from "#telemetry/logger.ts";
import { noopLogger } from "#telemetry/logger.ts";
import type { Runner, RunPython } from "../exec/run.ts";
import { type Fields, isFields } from "../fields.ts";
import { notesOf, richOf } from "./rich-report.ts";

export interface RunPythonOptions {
  readonly run: Runner;
  /** Directory of helper programs in the agent's own view; python/run.py is below it. */
  readonly tools: string;
  readonly logger?: Logger;
}

/** All kinds of output together; run.py caps each one lower. */
const reportLimit = 48 * 2 ** 20;

/** User code may write to the descriptor too, so a report is anything until it was looked at. */
function parseReport(bytes: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function withNotes(stderr: string, notes: readonly string[]): string {
  if (notes.length === 0) return stderr;
  const start = stderr === "" || stderr.endsWith("\n") ? stderr : `${stderr}\n`;
  return start + notes.map((note) => `[bulkhead] ${note}\n`).join("");
}

/** Python whose plots, tables and last value come back beside its output. Each run is a fresh process. */
export function makeRunPython({ run, tools, logger = noopLogger }: RunPythonOptions): RunPython {
  return async (request) => {
    const result = await run({ ...request, args: [`${tools}/python/run.py`], reportLimit });
    if (result.report === undefined) {
      return { ...result, stderr: withNotes(result.stderr, ["rich output left out: it is too large"]) };
    }
    if (result.report.length === 0) return result;
    const report = parseReport(result.report);
    if (report === undefined) {
      // Usually a run that was killed while it reported.
      logger.debug("unreadable report of a python run", { bytes: result.report.length });
      return result;
    }
    return { ...result, stderr: withNotes(result.stderr, notesOf(report["notes"])), rich: richOf(report) };
  };
}
