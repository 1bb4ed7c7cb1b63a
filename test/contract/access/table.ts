export interface MatrixRow {
  readonly route: string;
  readonly permission: string;
  /** By caller: what was answered. */
  readonly answers: Readonly<Record<string, string>>;
}

/** The matrix as Markdown, to stand in docs/access.md between two marks. */
export function matrixText(rows: readonly MatrixRow[]): string {
  const callers = Object.keys(rows[0]?.answers ?? {});
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(["route", "permission", ...callers]),
    line(["---", "---", ...callers.map(() => "---")]),
    ...rows.map(({ route, permission, answers }) =>
      line([`\`${route}\``, permission, ...callers.map((caller) => answers[caller] ?? "")]),
    ),
  ].join("\n");
}

const marks = (name: string) => [`<!-- ${name} -->`, `<!-- end of ${name} -->`] as const;

/** @throws Error for a document without the marks */
export function withTable(document: string, name: string, table: string): string {
  const [begin, end] = marks(name);
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < 0) throw new Error(`docs/access.md has no marks for ${name}`);
  return `${document.slice(0, from)}${begin}\n\n${table}\n\n${document.slice(to)}`;
}
