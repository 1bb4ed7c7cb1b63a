import { isAbsolute, resolve } from "node:path";
import type { TerminalFrame, TerminalSize } from "#contracts/agent/terminal.ts";
import { type Fields, integerOf, invalid, required, textOf } from "../fields.ts";

export const defaultSize: TerminalSize = { cols: 80, rows: 24 };
const longest = 1000;

/** What the query of the upgrade may ask for; all of it is beyond the contract. */
export interface TerminalOptions {
  readonly size: TerminalSize;
  /** Program instead of the login shell: a path, or a name on the sandbox's PATH. */
  readonly shell?: string;
  /** Absolute. */
  readonly workdir?: string;
}

function extent(value: unknown, field: string): number {
  const number = integerOf(value, field);
  if (number < 1 || number > longest) throw invalid(field, `must be between 1 and ${longest}`);
  return number;
}

/** @throws BulkheadError MISSING_PARAMETER, INVALID_REQUEST */
export function parseTerminalFrame(frame: Fields): TerminalFrame {
  const type = textOf(required(frame, "type"), "type");
  if (type === "input") return { type, data: textOf(required(frame, "data"), "data") };
  if (type === "resize") {
    return { type, cols: extent(required(frame, "cols"), "cols"), rows: extent(required(frame, "rows"), "rows") };
  }
  throw invalid("type", 'must be "input" or "resize"');
}

/** @throws BulkheadError INVALID_REQUEST */
export function parseTerminalQuery(query: URLSearchParams, home: string): TerminalOptions {
  const side = (field: "cols" | "rows") => {
    const text = query.get(field);
    return text === null || text === "" ? defaultSize[field] : extent(Number(text), field);
  };
  const shell = query.get("shell") ?? "";
  const workdir = query.get("workdir") ?? "";
  for (const [field, text] of Object.entries({ shell, workdir })) {
    if (text.includes("\0") || text.length > 4096) throw invalid(field, "is no path");
  }
  return {
    size: { cols: side("cols"), rows: side("rows") },
    ...(shell === "" ? {} : { shell }),
    ...(workdir === "" ? {} : { workdir: isAbsolute(workdir) ? workdir : resolve(home, workdir) }),
  };
}
