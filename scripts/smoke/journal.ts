import { columns } from "../support/table.ts";

export type Verdict = "ok" | "failed" | "measured" | "skipped";

export interface Entry {
  readonly section: string;
  readonly what: string;
  readonly verdict: Verdict;
  /** What was seen, in words. */
  readonly seen: string;
  readonly ms: number | null;
}

/** A step failed and was written down; what builds on it cannot go on. */
export class StepFailed extends Error {}

/** Everything that was tried, in order; each line is shown as it happens. */
export class Journal {
  readonly entries: Entry[] = [];
  readonly #say: (line: string) => void;
  #section = "";

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  section(name: string): void {
    this.#section = name;
    this.#say(`\n${name}`);
  }

  write(what: string, verdict: Verdict, seen: string, ms: number | null = null): void {
    this.entries.push({ section: this.#section, what, verdict, seen, ms });
    const mark = { ok: "✓", failed: "✗", measured: "·", skipped: "-" }[verdict];
    this.#say(`  ${mark} ${what}${ms === null ? "" : ` (${ms.toFixed(0)} ms)`}${seen === "" ? "" : `: ${seen}`}`);
  }

  /**
   * Runs one step, times it and writes it down. `check` says what was seen, or throws to say what is wrong with it.
   * @throws StepFailed when it fails
   */
  async step<T>(what: string, run: () => Promise<T>, check: (value: T) => string = () => ""): Promise<T> {
    this.#say(`  … ${what}`);
    const began = performance.now();
    try {
      const value = await run();
      const ms = performance.now() - began;
      this.write(what, "ok", check(value), ms);
      return value;
    } catch (thrown) {
      if (!(thrown instanceof StepFailed)) this.write(what, "failed", reason(thrown), performance.now() - began);
      throw new StepFailed(what, { cause: thrown });
    }
  }

  get failures(): readonly Entry[] {
    return this.entries.filter(({ verdict }) => verdict === "failed");
  }

  table(): string {
    const rows = this.entries.map(({ section, what, verdict, seen, ms }) => [
      section,
      what,
      verdict === "failed" ? "FAILED" : verdict,
      ms === null ? "" : ms.toFixed(0),
      seen,
    ]);
    return columns([["part", "what", "", "ms", "seen"], ...rows], [3]);
  }
}

/** Name, message, status and request id of what went wrong, as far as it carries them. */
export function reason(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const more = ["statusCode", "code", "requestId"].flatMap((name) => {
    const value: unknown = Reflect.get(thrown, name);
    return typeof value === "string" || typeof value === "number" ? `${name} ${value}` : [];
  });
  return `${thrown.name}: ${thrown.message}${more.length === 0 ? "" : ` (${more.join(", ")})`}`;
}
