/** Output that is held back. */
export interface Text {
  /** Lines with their ends. */
  readonly whole: string;
  /** How many `whole` has. */
  readonly lines: number;
  /** The begin of the line after them. */
  readonly part: string;
}

export const noText: Text = { whole: "", lines: 0, part: "" };

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines += 1;
  return lines;
}

/** Looks at `more` alone, so that many small pieces cost no more than a large one. */
export function add({ whole, lines, part }: Text, more: string): Text {
  const end = more.lastIndexOf("\n") + 1;
  if (end === 0) return { whole, lines, part: part + more };
  const ended = more.slice(0, end);
  return { whole: whole + part + ended, lines: lines + countLines(ended), part: more.slice(end) };
}

/** Each with its line feed; the last may have none. */
export function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+/g) ?? [];
}
