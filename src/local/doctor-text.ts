import type { DoctorReport } from "./doctor.ts";

const marks = { ok: "✓", warn: "!", fail: "✗" } as const;

/** The report for people: a line per check, what to do under those that need it, once for neighbours that need the same. */
export function doctorText(report: DoctorReport): string {
  const width = Math.max(...report.checks.map((check) => check.name.length));
  const lines = report.checks.flatMap((check, index) => [
    `  ${marks[check.status]} ${check.name.padEnd(width)}  ${check.detail}`,
    ...(check.fix === undefined || check.fix === report.checks[index + 1]?.fix
      ? []
      : [`    ${" ".repeat(width)}  do: ${check.fix}`]),
  ]);
  const verdict = report.ok
    ? "Sandboxes can run here and every limit is enforced."
    : "Something is missing. Sandboxes whose limits cannot be enforced are refused, unless you start with --allow-unenforced.";
  return `${lines.join("\n")}\n\n${verdict}\n`;
}
