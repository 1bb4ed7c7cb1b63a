import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** The version of the published Python client the platform is tested with. */
const requirement = "hopx-ai==0.5.0";

/** A Python interpreter that can import the published `hopx_ai`; made once and kept in the user's cache directory. */
export async function pythonWithClient(): Promise<string> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "bulkhead-tests");
  const venv = join(cache, requirement.replaceAll(/[^a-z0-9.]+/g, "-"));
  const python = join(venv, "bin/python");
  const ready = join(venv, "ready");
  if (existsSync(ready)) return python;
  await mkdir(cache, { recursive: true });
  await rm(venv, { recursive: true, force: true });
  await execute("python3", ["-m", "venv", venv], { timeout: 120_000 });
  await execute(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement], {
    timeout: 180_000,
  });
  // Marks the venv as whole only after pip has succeeded: an interrupted install is made again.
  await mkdir(`${ready}.new`);
  await rename(`${ready}.new`, ready);
  return python;
}

/** Runs a script with the client and answers with what it printed; an exit code other than 0 fails with its output. */
export async function runPython(
  python: string,
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await execute(python, [script], { env: { ...process.env, ...env }, timeout: 110_000 });
  return stdout;
}
