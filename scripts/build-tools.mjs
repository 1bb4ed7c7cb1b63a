// Programs for the Node.js inside sandboxes: what makes it use the proxy, and ssh's way through it. Any Node.js that a host has at /usr/bin
// reads the preload, so that one is written for very old ones, which it then leaves alone.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const sources = fileURLToPath(new URL("../src/agent/tools/node", import.meta.url));
const common = {
  bundle: true,
  minify: true,
  platform: "node",
  format: "cjs",
  legalComments: "none",
  logLevel: "warning",
};

async function bundle(name, options) {
  const { outputFiles } = await build({
    ...common,
    ...options,
    write: false,
    entryPoints: [join(sources, `${name}.ts`)],
  });
  return outputFiles[0].text;
}

/** Name to content; all of them go to /opt/bulkhead/lib but for `proxy-connect`, which goes to /opt/bulkhead/bin. */
export async function nodeTools() {
  return {
    "node-proxy.cjs": await bundle("node-proxy", { target: "node12" }),
    "node-agents.cjs": await bundle("node-agents", { target: "node18" }),
    "node-fetch.cjs": await bundle("node-fetch", { target: "node20" }),
    "proxy-connect": await bundle("proxy-connect", { target: "node20", banner: { js: "#!/opt/bulkhead/bin/node" } }),
  };
}
