import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Sandbox } from "@hopx-ai/sdk";

const program = readFileSync(resolve(import.meta.dirname, "../attacks/attacks.py")).toString("base64");

/** What became of one attempt. */
export interface Verdict {
  readonly stopped: boolean;
  /** What stopped it, or what it reached. */
  readonly by: string;
}

/** The shell command that runs one attack; the program comes in by a pipe, so a full disk does not stop the attempt itself. */
export function attackCommand(name: string, args: readonly string[] = []): string {
  return `echo ${program} | base64 -d | python3 - ${name} ${args.map((arg) => `'${arg}'`).join(" ")}`;
}

/** Runs an attack of attacks.py in `sandbox`. An attacker that was killed before it could say anything was stopped by that. */
export async function attack(
  sandbox: Sandbox,
  name: string,
  args: readonly string[] = [],
  timeout = 60,
): Promise<Verdict> {
  const { stdout, stderr, exit_code } = await sandbox.commands.run(attackCommand(name, args), { timeout });
  const verdict = /^(STOPPED|ESCAPED) (.*)$/m.exec(stdout);
  if (verdict) return { stopped: verdict[1] === "STOPPED", by: verdict[2] ?? "" };
  if (exit_code === 137 || exit_code === -9) return { stopped: true, by: "SIGKILL: out of memory" };
  return { stopped: false, by: `no verdict (exit ${exit_code}): ${(stdout + stderr).trim().slice(-300)}` };
}

export function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}
