import { type ConformanceRow, isFailure } from "./outcome.ts";

export interface Section {
  readonly title: string;
  readonly rows: readonly ConformanceRow[];
}

function line({ name, outcome }: ConformanceRow): string {
  return `| \`${name}\` | ${outcome === null ? "pass" : outcome.replaceAll("|", "\\|")} |`;
}

/** The page that the test run writes, and holds what is checked in against. */
export function page(sections: readonly Section[]): string {
  const tables = sections.map(({ title, rows }) => {
    const passed = rows.filter(({ outcome }) => outcome === null).length;
    const failed = rows.filter(isFailure).length;
    const count = `${passed} of ${rows.length} pass${failed > 0 ? `, ${failed} FAIL` : ""}; the others say why not.`;
    const body = [...rows].sort((one, other) => one.name.localeCompare(other.name, "en")).map(line);
    return [`## ${title}`, "", count, "", "| method | |", "|---|---|", ...body].join("\n");
  });
  return [
    "# Conformance",
    "",
    "Written by `BULKHEAD_UPDATE=1 npm test -- --only build,e2e` (test/conformance), which calls the methods of the published clients, unmodified,",
    "and every route of both OpenAPI files against a real platform on one machine. A method without a row, a row that does not come out as it says, and a page that",
    "differs from the run fail the test. Many rows only say that the call was answered well, not with what; the JavaScript client's exported functions beside its classes,",
    "which describe templates, have none.",
    "",
    "The `hopx` command line is not on PyPI (`hopx` 0.1.10 there is an early SDK without a command; `hopx-cli` and `hopx-ai-cli` do not exist; looked for on",
    "2026-11-23), so none of its commands was ever run against this. The routes that it is said to call are served, those of the account (`/auth/*`) where they are enabled.",
    "",
    ...tables,
    "",
  ].join("\n");
}
