// Puts together what the images are built from, each in its own directory: dist/images/<name>. The same sources give the same bytes,
// because an image is built and named by its content.
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { nodeTools } from "./build-tools.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const from = (path) => join(root, path);

/** Python of Debian 12, on which the images stand. */
const python = "3.11";

const edgePrograms = { gateway: "src/edge/gateway/main.ts", "egress-proxy": "src/edge/egress-proxy/main.ts" };

/**
 * @param {{ dist?: string }} options `dist`: where agent.cjs is and `images` is made
 * @returns {Promise<void>}
 */
export async function buildImages({ dist = from("dist") } = {}) {
  const images = join(dist, "images");
  await rm(images, { recursive: true, force: true });
  const base = await baseFiles(dist);
  await stage(join(images, "base"), base);
  await stage(join(images, "code-interpreter"), {
    ...base,
    ...(await interpreterFiles()),
    Dockerfile: `${base.Dockerfile}${await text("infra/images/code-interpreter/Dockerfile")}`,
  });
  await stage(join(images, "edge"), await edgeFiles());
}

/** Path in the context to content; programs of the images are marked by their ending. */
async function baseFiles(dist) {
  const tools = "src/agent/tools/python";
  const helpers = (await readdir(from(tools))).filter((name) => name.endsWith(".py")).sort();
  return {
    Dockerfile: await text("infra/images/base/Dockerfile"),
    "entrypoint.sh": await text("infra/images/base/entrypoint.sh"),
    "agent.cjs": await readFile(join(dist, "agent.cjs"), "utf8"),
    ssh_config: await sshConfig(),
    ...Object.fromEntries(
      Object.entries(await nodeTools()).map(([name, content]) => [
        name.endsWith(".cjs") ? `lib/${name}` : name,
        content,
      ]),
    ),
    ...Object.fromEntries(
      await Promise.all(helpers.map(async (name) => [`python/${name}`, await text(`${tools}/${name}`)])),
    ),
    ...(await toolPackages()),
  };
}

const ptyPackages = ["@lydell/node-pty-linux-arm64", "@lydell/node-pty-linux-x64"];

/**
 * esbuild and the native part of terminals for the image's own architecture: those in node_modules are for this machine. Versions and
 * hashes are our lock file's.
 */
async function toolPackages() {
  const { packages } = JSON.parse(await text("package-lock.json"));
  const versionOf = (name) => packages[`node_modules/${name}`].version;
  const project = {
    name: "bulkhead-image-tools",
    version: "0.0.0",
    private: true,
    dependencies: { esbuild: versionOf("esbuild") },
    // npm installs the one that fits.
    optionalDependencies: Object.fromEntries(ptyPackages.map((name) => [name, versionOf(name)])),
  };
  const taken = new RegExp(`^node_modules/(@esbuild/[^/]+|esbuild|${ptyPackages.join("|")})$`);
  const locked = Object.entries(packages).filter(([path]) => taken.test(path));
  // `dev`, `peer` and the like say how our own package uses them.
  const entries = locked.map(([path, { dev, devOptional, peer, ...entry }]) => [path, entry]);
  const lock = {
    name: project.name,
    version: project.version,
    lockfileVersion: 3,
    requires: true,
    packages: { "": { ...project, private: undefined }, ...Object.fromEntries(entries.sort()) },
  };
  return { "tools/package.json": json(project), "tools/package-lock.json": json(lock) };
}

/** As on one machine. */
async function sshConfig() {
  return (await load('export { sshConfig } from "./src/local/compute/ssh-config.ts";')).sshConfig;
}

/** What code-interpreter is made of on one machine, too. */
async function interpreterFiles() {
  const { requirementsFor, seedMatplotlib } = await load(
    'export { requirementsFor } from "./src/local/templates/requirements.ts"; export { seedMatplotlib } from "./src/local/templates/seed-matplotlib.ts";',
  );
  return { "requirements.txt": `${requirementsFor(python).join("\n")}\n`, "sitecustomize.py": seedMatplotlib };
}

/** The edge image: its two programs, as they ship, and what it is made with. */
export async function edgeFiles() {
  const programs = await Promise.all(
    Object.entries(edgePrograms).map(async ([name, entry]) => {
      if (!existsSync(from(entry))) throw new Error(`${entry} is missing: the edge image has no ${name}`);
      return [`${name}.mjs`, await bundle({ entryPoints: [from(entry)] })];
    }),
  );
  const helpers = ["Dockerfile", "collect.sh", "health.mjs"];
  return {
    ...Object.fromEntries(programs),
    ...Object.fromEntries(
      await Promise.all(helpers.map(async (name) => [name, await text(`infra/images/edge/${name}`)])),
    ),
  };
}

/** One ES module for Node.js 22, the SDK included. */
async function bundle(input) {
  const { outputFiles } = await build({
    bundle: true,
    platform: "node",
    target: "node22",
    format: "esm",
    minify: true,
    legalComments: "none",
    mainFields: ["module", "main"],
    // CommonJS packages inside an ES module bundle ask for `require`.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    absWorkingDir: root,
    logLevel: "warning",
    write: false,
    ...input,
  });
  return outputFiles[0].text;
}

/** Values of TypeScript modules: this script runs on plain Node.js. */
async function load(contents) {
  const code = await bundle({ stdin: { contents, resolveDir: root, loader: "ts" }, banner: {} });
  return import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
}

async function stage(directory, files) {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    // Whatever the umask: the modes go into the image.
    await chmod(path, name.endsWith(".sh") ? 0o755 : 0o644);
  }
}

const text = (path) => readFile(from(path), "utf8");
const json = (value) => `${JSON.stringify(value, null, 2)}\n`;
