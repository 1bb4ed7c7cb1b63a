import { printable, table } from "../output.ts";
import { type EgressRow, recordedAt } from "./rows.ts";

const headings = ["TIME (UTC)", "SANDBOX", "WHAT", "PROTOCOL", "TARGET", "METHOD", "IN", "OUT", "TOOK", "WHY"];
/** Of columns that are not known beforehand, as they mostly are. */
const usual = [14, 20, 5, 12, 32, 6, 6, 6, 7, 0];

export function egressTable(rows: readonly EgressRow[]): string {
  return rows.length === 0 ? "No connections." : table(headings, rows.map(cells));
}

export const egressHeading = line(headings);

/** One row by itself, in columns that mostly stand below each other. */
export function egressLine(row: EgressRow): string {
  return line(cells(row).map(printable));
}

function line(values: readonly string[]): string {
  return values
    .map((value, column) => value.padEnd(usual[column] ?? 0))
    .join("  ")
    .trimEnd();
}

function cells(row: EgressRow): string[] {
  const known = row.state === "closed" && row.decision === "allow";
  return [
    new Date(recordedAt(row)).toISOString().slice(5, 19).replace("T", " "),
    row.sandbox_id ?? "-",
    row.decision,
    row.inside === null || row.inside === row.protocol ? row.protocol : `${row.protocol}/${row.inside}`,
    `${row.host.includes(":") ? `[${row.host}]` : row.host || "?"}:${row.port}`,
    row.method ?? "-",
    known ? amount(row.bytes_in) : "-",
    known ? amount(row.bytes_out) : "-",
    took(row),
    why(row),
  ];
}

function took({ state, decision, duration_ms: ms }: EgressRow): string {
  if (state !== "closed") return state === "open" ? "open" : "cut off";
  if (decision === "deny" || ms === null) return "-";
  if (ms < 10_000) return ms < 1_000 ? `${ms}ms` : `${(ms / 1_000).toFixed(1)}s`;
  return ms < 600_000 ? `${Math.round(ms / 1_000)}s` : `${Math.round(ms / 60_000)}m`;
}

/** The rule that allowed, the reason of a refusal; and which secrets went along. */
function why({ decision, rule, reason, secrets }: EgressRow): string {
  const text = decision === "allow" ? (rule ?? reason) : rule === null ? reason : `${reason} (${rule})`;
  return secrets.length === 0 ? text : `${text}, with ${secrets.join(", ")}`;
}

/** Bytes: "812", "1.2K", "34M". */
export function amount(bytes: number): string {
  let value = bytes;
  for (const unit of ["", "K", "M", "G"]) {
    if (value < 999.5 || unit === "G")
      return value < 9.95 && unit !== "" ? `${value.toFixed(1)}${unit}` : `${Math.round(value)}${unit}`;
    value /= 1024;
  }
  return String(bytes);
}
