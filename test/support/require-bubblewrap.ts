import { readFileSync } from "node:fs";
import { runCommand } from "#local/compute/run-command.ts";
import { ensureBubblewrap } from "#local/probe/bubblewrap.ts";

/** Runs once before the tests that start real sandboxes: installs bubblewrap as the platform's first start does, or says what to run. */
export default async function requireBubblewrap(): Promise<void> {
  const problem = await ensureBubblewrap({
    run: runCommand,
    root: process.getuid?.() === 0,
    osRelease: readFileSync("/etc/os-release", "utf8"),
    allowInstall: true,
    onProgress: (text) => process.stderr.write(`${text}\n`),
  });
  if (problem !== null) throw new Error(`${problem.what} Run: ${problem.fix}`);
}
