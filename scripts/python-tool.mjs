// Installs a Python program that tests use, from PyPI, into a virtual environment of its own under node_modules/.cache, so that nothing
// outside the repository changes.
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const cache = join(dirname(fileURLToPath(import.meta.url)), "..", "node_modules", ".cache", "bulkhead");
const installMs = 300_000;

/** The end of what a command had to say. */
function said(error) {
  return String(error.stderr || error.message)
    .trim()
    .split("\n")
    .slice(-6)
    .join("\n");
}

function advice({ name, version }, step, error) {
  const what = {
    venv: "Python's venv module is needed: install python3 and, on Debian and Ubuntu, python3-venv (apt-get install python3-venv).",
    pip: `pip could not install it: check the network and the PyPI mirror (PIP_INDEX_URL), then run \`node scripts/ensure-${name}.mjs\` again.`,
  }[step];
  return new Error(`${name} ${version} is not installed. ${what}\n${said(error)}`, { cause: error });
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * The program is started as `<python> -m …`: scripts of a virtual environment name the directory it was made in, and ours is made beside
 * and then moved, so that half an installation is never taken for a whole one.
 */
export async function ensurePythonTool(tool, say = () => {}) {
  const { name, version } = tool;
  const home = join(cache, `${name}-${version}`);
  const python = join(home, "bin", "python");
  if (await exists(python)) return python;
  say(`installing ${name} ${version} from PyPI into ${home}, once; this takes a minute or two`);
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, `making-${name}-`));
  try {
    await run("python3", ["-m", "venv", making], { timeout: installMs }).catch((error) => {
      throw advice(tool, "venv", error);
    });
    await install(tool, join(making, "bin", "python"), say);
    // Another test run may have been faster: then its installation is as good as ours.
    await rename(making, home).catch(async (error) => {
      if (!(await exists(python))) throw error;
    });
    say(`${name} ${version} is installed`);
    return python;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

async function install(tool, python, say) {
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", ...tool.packages];
  try {
    await run(python, [...pip, "--constraint", tool.tried], { timeout: installMs });
  } catch (error) {
    // Some of these versions want another Python than this one; the program itself may not.
    say(`not with the versions that were tried, so with those that pip finds: ${said(error)}`);
    await run(python, pip, { timeout: installMs }).catch((second) => {
      throw advice(tool, "pip", second);
    });
  }
}

/** What `node scripts/ensure-….mjs` does: prints the Python that has the program. */
export async function printPythonTool(tool) {
  try {
    console.log(await ensurePythonTool(tool, (line) => console.error(line)));
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
