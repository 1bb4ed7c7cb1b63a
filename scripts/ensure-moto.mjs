// Makes sure that moto, the AWS emulator that the contract tests talk to, is installed: in a virtual environment of its own under
// node_modules/.cache, so that nothing outside the repository changes. Prints the path of `moto_server`. Run it again at any time.
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The behaviour that our tests and their declared gaps were written against (aws-facts §11). */
export const motoVersion = "5.2.5";

const run = promisify(execFile);
const cache = join(dirname(fileURLToPath(import.meta.url)), "..", "node_modules", ".cache", "bulkhead");
/** Versions of everything that comes with it, as they were tried together. */
const tried = join(dirname(fileURLToPath(import.meta.url)), "..", "test", "support", "moto", "requirements.txt");
const installMs = 300_000;

/** The end of what a command had to say. */
function said(error) {
  return String(error.stderr || error.message)
    .trim()
    .split("\n")
    .slice(-6)
    .join("\n");
}

function advice(step, error) {
  const what = {
    venv: "Python's venv module is needed: install python3 and, on Debian and Ubuntu, python3-venv (apt-get install python3-venv).",
    pip: "pip could not install it: check the network and the PyPI mirror (PIP_INDEX_URL), then run `node scripts/ensure-moto.mjs` again.",
  }[step];
  return new Error(`moto ${motoVersion} is not installed. ${what}\n${said(error)}`, { cause: error });
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * The server is started as `<python> -m moto.server`: scripts of a virtual environment name the directory it was made in, and ours is made
 * beside and then moved, so that half an installation is never taken for a whole one.
 */
export async function ensureMoto(say = () => {}) {
  const home = join(cache, `moto-${motoVersion}`);
  const python = join(home, "bin", "python");
  if (await exists(python)) return python;
  say(`installing moto ${motoVersion} from PyPI into ${home}, once; this takes a minute or two`);
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, "making-moto-"));
  try {
    await run("python3", ["-m", "venv", making], { timeout: installMs }).catch((error) => {
      throw advice("venv", error);
    });
    await install(join(making, "bin", "python"), say);
    // Another test run may have been faster: then its installation is as good as ours.
    await rename(making, home).catch(async (error) => {
      if (!(await exists(python))) throw error;
    });
    say(`moto ${motoVersion} is installed`);
    return python;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

async function install(python, say) {
  const pip = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-input",
    `moto[server]==${motoVersion}`,
  ];
  try {
    await run(python, [...pip, "--constraint", tried], { timeout: installMs });
  } catch (error) {
    // Some of these versions want another Python than this one; moto itself may not.
    say(`not with the versions that were tried, so with those that pip finds: ${said(error)}`);
    await run(python, pip, { timeout: installMs }).catch((second) => {
      throw advice("pip", second);
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await ensureMoto((line) => console.error(line)));
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
