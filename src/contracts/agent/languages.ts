/** Without zod, so that the agent can load it at start. */

/** Every spelling of a language that clients send, and the language it means. Others are refused with UNSUPPORTED_LANGUAGE. */
export const languageAliases = {
  python: "python",
  python3: "python",
  py: "python",
  javascript: "javascript",
  js: "javascript",
  node: "javascript",
  nodejs: "javascript",
  typescript: "typescript",
  ts: "typescript",
  bash: "bash",
  sh: "bash",
  shell: "bash",
  go: "go",
  golang: "go",
} as const;
export type Language = (typeof languageAliases)[keyof typeof languageAliases];

const aliases = new Map<string, Language>(Object.entries(languageAliases));

/** undefined: unknown language. */
export function languageOf(spelling: string): Language | undefined {
  return aliases.get(spelling.trim().toLowerCase());
}

/** Seconds a run may take when the caller asks for more: asked-for values are clamped, never refused (contract §4.1). */
export const maxExecSeconds = 300;

/** Seconds a background execution may take: as long as a sandbox may live by default. */
export const maxBackgroundSeconds = 86_400;
