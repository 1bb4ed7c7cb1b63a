import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { languageAliases, languageOf } from "#contracts/agent/languages.ts";
import { CliError, exitCodes, messageOf } from "./failure.ts";
import type { CliDeps } from "./program.ts";

const languageOfExtension = new Map([
  [".py", "python"],
  [".js", "javascript"],
  [".mjs", "javascript"],
  [".cjs", "javascript"],
  [".ts", "typescript"],
  [".mts", "typescript"],
  [".sh", "bash"],
  [".bash", "bash"],
  [".go", "go"],
]);

/** @throws CliError for a language that is not known, and a file whose name does not tell it */
export function chooseLanguage(file: string, asked: string | undefined): string {
  if (asked !== undefined) {
    if (languageOf(asked) !== undefined) return asked;
    const known = [...new Set(Object.values(languageAliases))].join(", ");
    throw new CliError(`There is no language ${asked}. Known: ${known}.`, exitCodes.usage);
  }
  const found = file === "-" ? "python" : languageOfExtension.get(extname(file).toLowerCase());
  if (found !== undefined) return found;
  throw new CliError(`${file}: its name does not tell the language. Say it with --language.`, exitCodes.usage);
}

/** @throws CliError for a file that cannot be read */
export async function readSource(file: string, deps: Pick<CliDeps, "readInput">): Promise<string> {
  if (file === "-") return deps.readInput();
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CliError(`${file} cannot be read: ${messageOf(cause)}`, exitCodes.notFound, cause);
  }
}
