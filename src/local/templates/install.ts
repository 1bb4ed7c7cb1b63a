import { mkdir, writeFile } from "node:fs/promises";
import { BulkheadError } from "#contracts/errors.ts";
import { cleanPython, findPip, sandboxPython } from "./python-host.ts";
import { seedMatplotlib } from "./seed-matplotlib.ts";
import type { RunStep } from "./step.ts";

export interface InstallOptions {
  readonly run: RunStep;
  readonly requirements: readonly string[];
  /** Downloads stay here until the template is done, so that a start after a failed one goes on where it stopped. */
  readonly cache: string;
  readonly root: boolean;
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What pip says, in words for someone who waits; undefined: nothing new. */
export function pipProgress(line: string): string | undefined {
  const downloading = /^\s*(?:Downloading|Using cached) (\S+?)-(\d[^-\s]*)-\S*(?: \((.+)\))?/.exec(line);
  const [, name, version, size] = downloading ?? [];
  if (name !== undefined && version !== undefined) {
    const verb = line.includes("Using cached") ? "has" : "downloading";
    return `${verb} ${name} ${version}${size === undefined ? "" : ` (${size})`}`;
  }
  return line.startsWith("Installing collected packages") ? "unpacking packages" : undefined;
}

/** A line every few seconds while nothing else is said. */
async function withSignsOfLife<T>(
  what: string,
  onProgress: (text: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = Date.now();
  const timer = setInterval(() => onProgress(`${what} (${Math.round((Date.now() - startedAt) / 1000)} s)`), 5000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

function failure(what: string, lines: readonly string[], next: string): BulkheadError {
  const reason = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "no output";
  return new BulkheadError("SERVICE_UNAVAILABLE", `${what}: ${reason.trim().slice(0, 300)}. ${next}`, {
    details: { output: lines.slice(-20) },
  });
}

async function pipInstall(directory: string, options: InstallOptions): Promise<void> {
  const { run, onProgress, signal, root } = options;
  const pip = await findPip(run, { signal, root, onProgress });
  const list = `${directory}/requirements.txt`;
  await writeFile(list, `${options.requirements.join("\n")}\n`);
  const settings = [`PIP_CACHE_DIR=${options.cache}`, "PIP_ROOT_USER_ACTION=ignore", "PIP_USER=0", "PIP_NO_INPUT=1"];
  const flags = [
    "--progress-bar",
    "off",
    "--disable-pip-version-check",
    "--only-binary",
    ":all:",
    "--no-deps",
    "--no-compile",
  ];
  const command = [...pip, "install", ...flags, "--target", `${directory}/site-packages`, "-r", list];
  const onLine = (line: string) => {
    const text = pipProgress(line);
    if (text !== undefined) onProgress(text);
  };
  const { code, lines } = await withSignsOfLife("still installing packages", onProgress, () =>
    run([...cleanPython, ...settings, ...command], { signal, onLine }),
  );
  if (code === 0) return;
  const next =
    "Check that this host reaches pypi.org (or set PIP_INDEX_URL) and start again; finished downloads are kept.";
  throw failure("pip could not install the packages", lines, next);
}

/** Compiled ahead, because sandboxes cannot write here: without it each import would compile anew. */
async function compile(directory: string, { run, onProgress, signal }: InstallOptions): Promise<void> {
  onProgress("compiling packages");
  const flags = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash"];
  // Some packages carry files of other Python versions: what does not compile is not imported either.
  await withSignsOfLife("still compiling packages", onProgress, () =>
    run([...cleanPython, sandboxPython, "-m", "compileall", ...flags, `${directory}/site-packages`], { signal }),
  );
}

/** Finds the fonts once, and proves that what was installed can be imported. */
async function tryOut(directory: string, { run, onProgress, signal }: InstallOptions): Promise<void> {
  onProgress("trying the packages and finding fonts");
  const settings = [`PYTHONPATH=${directory}/site-packages`, `MPLCONFIGDIR=${directory}/matplotlib`, "MPLBACKEND=Agg"];
  const script = "import numpy, pandas, matplotlib.pyplot as plt, matplotlib.font_manager; plt.figure()";
  const { code, lines } = await run([...cleanPython, ...settings, sandboxPython, "-c", script], { signal });
  if (code !== 0) throw failure("the installed packages do not work", lines, "Start again to install them anew.");
}

/** Fills an empty directory: site-packages and matplotlib's font list. */
export async function install(directory: string, options: InstallOptions): Promise<void> {
  await mkdir(`${directory}/site-packages`, { recursive: true, mode: 0o755 });
  await pipInstall(directory, options);
  await writeFile(`${directory}/site-packages/sitecustomize.py`, seedMatplotlib);
  await compile(directory, options);
  await mkdir(`${directory}/matplotlib`, { mode: 0o755 });
  await tryOut(directory, options);
}
