// Bundles the programs that run: the command line, the platform on one machine, its database worker and the agent; and puts together
// what the images for AWS are built from.
import { chmod, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { buildImages } from "./build-images.mjs";
import { nodeTools } from "./build-tools.mjs";

const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
const common = {
  bundle: true,
  platform: "node",
  target: "node20",
  logLevel: "warning",
  define: { __BULKHEAD_VERSION__: JSON.stringify(version) },
};
// CommonJS packages inside an ES module bundle ask for `require`.
const banner = {
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};

await rm("dist", { recursive: true, force: true });
await Promise.all([
  build({
    ...common,
    format: "esm",
    banner: { js: `#!/usr/bin/env node\n${banner.js}` },
    entryPoints: { bulkhead: "src/cli/main.ts" },
    outdir: "dist",
    outExtension: { ".js": ".mjs" },
  }),
  build({
    ...common,
    format: "esm",
    banner,
    entryPoints: { local: "src/local/main.ts", "dynalite-worker": "src/local/dynalite-worker.ts" },
    // Native module: resolved from node_modules at run time.
    external: ["classic-level", "dynalite", "esbuild"],
    outdir: "dist",
    outExtension: { ".js": ".mjs" },
  }),
  build({
    ...common,
    format: "cjs",
    minify: true,
    entryPoints: { agent: "src/agent/main.ts" },
    outdir: "dist",
    outExtension: { ".js": ".cjs" },
  }),
]);
await mkdir("dist/tools");
for (const [name, text] of Object.entries(await nodeTools())) await writeFile(`dist/tools/${name}`, text);
await chmod("dist/tools/proxy-connect", 0o755);
await buildImages();
await chmod("dist/bulkhead.mjs", 0o755);
// `npx bulkhead` in the checkout: npm links the commands of dependencies only.
await rm("node_modules/.bin/bulkhead", { force: true });
await symlink("../../dist/bulkhead.mjs", "node_modules/.bin/bulkhead");
