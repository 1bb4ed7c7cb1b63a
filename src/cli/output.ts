/** Where a command writes; tests pass their own. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
  /** Text without a line feed added. A returned promise resolves when there is room for more. */
  raw(stream: "stdout" | "stderr", text: string): Promise<void> | undefined;
  /** Which of them a person is looking at. */
  readonly terminal: { readonly stdout: boolean; readonly stderr: boolean };
  /** Characters in a line of the terminal. */
  width(): number;
}

/** Rows under headings, columns as wide as their widest cell, two spaces apart. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows.map((row) => row.map(printable))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** How long ago, or how long from now, in the largest fitting unit: "12s", "5m", "3h", "2d". */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

/** A value as one JSON document. */
export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** Names that come out of a sandbox could otherwise drive the terminal that shows them. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
