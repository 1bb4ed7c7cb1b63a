import type { AlertView } from "#contracts/control/alerts.ts";
import { printable, table } from "../output.ts";

const headings = ["LAST (UTC)", "SEVERITY", "RULE", "SUBJECT", "COUNT", "STATE", "ID"];
const widths = [19, 8, 17, 22, 6, 6, 0];

function cells({ last_at, severity, rule, subject, count, acknowledged_by, id }: AlertView): string[] {
  const state = acknowledged_by === null ? "open" : "acked";
  return [last_at.slice(0, 19).replace("T", " "), severity, rule, subject, String(count), state, id];
}

export const alertTable = (alerts: readonly AlertView[]): string =>
  alerts.length === 0 ? "No alerts." : table(headings, alerts.map(cells));

/** One alert by itself, with what to do. */
export const alertLine = (alert: AlertView): string =>
  `${cells(alert)
    .map((cell, column) => printable(cell).padEnd(widths[column] ?? 0))
    .join("  ")
    .trimEnd()}\n    ${printable(alert.text)}`;
