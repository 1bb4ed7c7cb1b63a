import { accessSync, constants, statSync } from "node:fs";
import type { Language } from "#contracts/agent/languages.ts";

/** Where the programs of the languages are; a language without its program is not installed. */
export interface Programs {
  /** undefined: not installed. */
  find(language: Language): string | undefined;
  installed(): readonly Language[];
  /** Compiles TypeScript. */
  readonly esbuild: string;
}

/** undefined when no directory of `path` has an executable file `name`. */
export function lookUp(name: string, path: string): string | undefined {
  return path
    .split(":")
    .map((directory) => `${directory}/${name}`)
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const names = { python: "python3", javascript: "node", typescript: "node", bash: "bash", go: "go" } as const;
const languages: readonly Language[] = ["python", "javascript", "typescript", "bash", "go"];

/** Looks programs up when they are first asked for; one that is installed later is found then. */
export function makePrograms(path: string, tools: string): Programs {
  const found = new Map<Language, string>();
  const esbuild = `${tools}/bin/esbuild`;
  function find(language: Language): string | undefined {
    const known = found.get(language);
    if (known !== undefined) return known;
    if (language === "typescript" && !isExecutable(esbuild)) return undefined;
    const program = lookUp(names[language], path);
    if (program !== undefined) found.set(language, program);
    return program;
  }
  return { find, installed: () => languages.filter((language) => find(language) !== undefined), esbuild };
}
