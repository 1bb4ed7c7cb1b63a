import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { BulkheadError } from "#contracts/errors.ts";

/** Files the platform runs beside its own code. */
export interface Assets {
  readonly agentBundle: string;
  readonly databaseWorker: string;
  readonly seccompDirectory: string;
  readonly pythonTools: string;
  /** Programs for the Node.js of sandboxes. */
  readonly nodeTools: string;
  /** null: no TypeScript in sandboxes. */
  readonly esbuildBinary: string | null;
  /** Native part of @lydell/node-pty; null: no terminals in sandboxes. */
  readonly ptyBinding: string | null;
}

/** Finds them from `dist/`, where the bundles are. @throws BulkheadError when something was not built */
export function findAssets(distDirectory: string): Assets {
  const root = resolve(distDirectory, "..");
  const assets: Assets = {
    agentBundle: join(distDirectory, "agent.cjs"),
    databaseWorker: join(distDirectory, "dynalite-worker.mjs"),
    seccompDirectory: join(root, "src/local/seccomp"),
    pythonTools: join(root, "src/agent/tools/python"),
    nodeTools: join(distDirectory, "tools"),
    esbuildBinary: findEsbuild(root),
    ptyBinding: findPtyBinding(root),
  };
  for (const path of [assets.agentBundle, assets.databaseWorker, assets.seccompDirectory, assets.nodeTools]) {
    if (!existsSync(path)) throw new BulkheadError("SERVICE_UNAVAILABLE", `${path} is missing. Run: npm run build`);
  }
  return assets;
}

/** The native program of the esbuild package for this architecture. */
function findEsbuild(root: string): string | null {
  try {
    const require = createRequire(join(root, "package.json"));
    const fromEsbuild = createRequire(require.resolve("esbuild"));
    const path = join(dirname(fromEsbuild.resolve(`@esbuild/linux-${process.arch}/package.json`)), "bin/esbuild");
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

function findPtyBinding(root: string): string | null {
  try {
    const require = createRequire(join(root, "package.json"));
    const fromPty = createRequire(require.resolve("@lydell/node-pty"));
    const path = fromPty.resolve(`@lydell/node-pty-linux-${process.arch}/pty.node`);
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}
