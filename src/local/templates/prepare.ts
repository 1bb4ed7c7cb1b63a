import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "#contracts/errors.ts";
import type { PreparedTemplate } from "#local/compute/types.ts";
import type { Logger } from "#telemetry/logger.ts";
import { install } from "./install.ts";
import { underLock } from "./preparation-lock.ts";
import { readPython } from "./python-host.ts";
import { requirementsFor } from "./requirements.ts";
import { seedMatplotlib } from "./seed-matplotlib.ts";
import { type RunStep, runStep } from "./step.ts";

export interface PrepareOptions {
  /** Data directory of the platform; templates lie in `templates/`. */
  readonly home: string;
  readonly logger: Logger;
  /** Told what is being done, often enough that someone who waits sees life. */
  readonly onProgress: (text: string) => void;
  /** Aborting gives up; a later call goes on with what was downloaded. */
  readonly signal: AbortSignal;
  /** @default programs of this host */
  readonly run?: RunStep;
  /** Whether missing host packages may be installed. @default whether this process is root */
  readonly root?: boolean;
}

const inside = "/opt/code-interpreter";

function codeInterpreter(directory: string): PreparedTemplate {
  return {
    binds: [{ source: directory, target: inside }],
    env: {
      PYTHONPATH: `${inside}/site-packages`,
      MPLBACKEND: "Agg",
      // In the sandbox's own /tmp; filled from the template at the first import of matplotlib.
      MPLCONFIGDIR: "/tmp/.config/matplotlib",
    },
    features: ["rich-output"],
  };
}

/** One directory for each list of packages, Python and kind of machine: a change of any prepares anew, beside the old. */
function keyOf(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
}

async function removeUnfinished(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (name.startsWith("unfinished-")) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function prepareCodeInterpreter(options: PrepareOptions): Promise<PreparedTemplate> {
  const { home, signal, onProgress, logger, run = runStep, root = process.getuid?.() === 0 } = options;
  const python = await readPython(run, { signal });
  const requirements = requirementsFor(python.version);
  const parent = join(home, "templates", "code-interpreter");
  const finished = join(parent, keyOf([python.version, python.machine, ...requirements, seedMatplotlib]));
  if (existsSync(finished)) return codeInterpreter(finished);

  await mkdir(parent, { recursive: true, mode: 0o755 });
  const onWait = () => onProgress("waiting for another process that prepares it");
  await underLock(join(parent, "lock"), { signal, onWait }, async () => {
    if (existsSync(finished)) return;
    await removeUnfinished(parent);
    const cache = join(parent, "downloads");
    const directory = await mkdtemp(join(parent, "unfinished-"));
    try {
      await chmod(directory, 0o755);
      onProgress(
        `installing ${requirements.length} Python packages, about 110 MB to download and 540 MB on disk (once)`,
      );
      await install(directory, { run, requirements, cache, root, onProgress, signal });
      await rename(directory, finished);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
    await rm(cache, { recursive: true, force: true });
    logger.info("template prepared", { template: "code-interpreter", python: python.version });
  });
  return codeInterpreter(finished);
}

/**
 * Makes a built-in template ready on this host; at once when it was before.
 * @throws BulkheadError SERVICE_UNAVAILABLE that says what is missing and what to do
 */
export async function prepareTemplate(name: string, options: PrepareOptions): Promise<PreparedTemplate> {
  if (name === "base") return { binds: [], env: {}, features: [] };
  if (name === "code-interpreter") return prepareCodeInterpreter(options);
  throw new BulkheadError("TEMPLATE_NOT_FOUND", `Template ${name} is not one of base and code-interpreter.`);
}
