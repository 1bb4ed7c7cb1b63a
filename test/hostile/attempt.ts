import type { Verdict } from "#test/e2e/support/attacks.ts";
import type { HostileWorld } from "./world.ts";

export const groups = [
  "files",
  "archives",
  "processes",
  "kernel",
  "sockets",
  "dns",
  "direct",
  "metadata",
  "smuggling",
  "redirects",
  "policy",
  "broker",
  "neighbours",
  "agent",
  "gateway",
  "floods",
  "secrets",
  "lifetime",
  "logs",
] as const;
export type Group = (typeof groups)[number];

/** One thing that code in a sandbox, or somebody with its token, tries. */
export interface Attempt {
  readonly group: Group;
  /** What it tries, in a few words. Unique. */
  readonly tried: string;
  /** What must happen. */
  readonly must: string;
  /** Needs the machine that the platform runs on: not made against a deployment that is elsewhere. */
  readonly host?: boolean;
  /** Makes the attempt and looks what became of it. `by` is what was seen, not what was hoped for. */
  run(world: HostileWorld): Promise<Verdict>;
}

/** Several attempts of one group. */
export function attemptsOf(group: Group, list: readonly Omit<Attempt, "group">[]): readonly Attempt[] {
  return list.map((attempt) => ({ ...attempt, group }));
}

/** Stopped when `test` holds; what was seen either way. */
export const judged = (test: boolean, seen: string): Verdict => ({
  stopped: test,
  by: seen.trim().replaceAll(/\s+/g, " "),
});
