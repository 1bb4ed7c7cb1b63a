import { BulkheadError } from "#contracts/errors.ts";
import type { RunStep, StepOptions } from "./step.ts";

/** The interpreter that sandboxes see: of the host's directories they have /usr only. */
export const sandboxPython = "/usr/bin/python3";

export interface PythonFacts {
  /** "3.11". */
  readonly version: string;
  /** "x86_64". */
  readonly machine: string;
}

/** Variables of the operator's own Python must not reach into the template. */
export const cleanPython = ["env", "-u", "PYTHONPATH", "-u", "PYTHONHOME", "-u", "PYTHONSTARTUP", "PYTHONNOUSERSITE=1"];

export async function readPython(run: RunStep, options: StepOptions): Promise<PythonFacts> {
  const script = 'import platform, sys; print("%d.%d %s" % (*sys.version_info[:2], platform.machine()))';
  const { code, lines } = await run([...cleanPython, sandboxPython, "-c", script], options);
  const [version, machine] = (lines.at(-1) ?? "").split(" ");
  if (code !== 0 || version === undefined || machine === undefined) {
    throw new BulkheadError(
      "SERVICE_UNAVAILABLE",
      `${sandboxPython} is missing or does not run. Install it (Debian and Ubuntu: apt-get install python3) and start again.`,
    );
  }
  return { version, machine };
}

/** `--python` exists since pip 22.3; a pip of any Python can then install for another. */
const candidates: readonly (readonly string[])[] = [
  [sandboxPython, "-m", "pip"],
  ["python3", "-m", "pip", "--python", sandboxPython],
  ["pip3", "--python", sandboxPython],
  ["pip", "--python", sandboxPython],
];

async function firstWorking(run: RunStep, options: StepOptions): Promise<readonly string[] | undefined> {
  for (const pip of candidates) {
    const { code } = await run([...cleanPython, ...pip, "--version"], { signal: options.signal });
    if (code === 0) return pip;
  }
  return undefined;
}

/** The command that runs pip for {@link sandboxPython}. Where the host has none, root gets Debian's. */
export async function findPip(
  run: RunStep,
  options: StepOptions & { readonly root: boolean; readonly onProgress: (text: string) => void },
): Promise<readonly string[]> {
  const found = await firstWorking(run, options);
  if (found !== undefined) return found;
  if (options.root) {
    options.onProgress("installing python3-pip with apt-get");
    const apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"];
    await run([...apt, "update"], options);
    await run([...apt, "install", "-y", "--no-install-recommends", "python3-pip"], options);
    const installed = await firstWorking(run, options);
    if (installed !== undefined) return installed;
  }
  throw new BulkheadError(
    "SERVICE_UNAVAILABLE",
    "This host has no pip, which installs numpy and the like. Install it (Debian and Ubuntu: apt-get install python3-pip) and start again.",
  );
}
