import type { RichOutput } from "../exec/run.ts";
import { isFields } from "../fields.ts";

const textKinds = ["png", "html", "svg", "markdown", "latex", "result"] as const;
const valueKinds = ["json", "dataframe"] as const;

/** What a program reports to have shown. It is user code that reports: anything until it was looked at. */
export function richOf(report: unknown): RichOutput {
  if (!isFields(report)) return {};
  const texts = textKinds.filter((kind) => typeof report[kind] === "string").map((kind) => [kind, report[kind]]);
  const values = valueKinds.filter((kind) => kind in report).map((kind) => [kind, report[kind]]);
  return Object.fromEntries([...texts, ...values]) as RichOutput;
}

export function notesOf(notes: unknown): readonly string[] {
  return Array.isArray(notes) ? notes.filter((note) => typeof note === "string").slice(0, 20) : [];
}
