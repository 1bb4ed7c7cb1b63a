// Makes sure that moto, the AWS emulator that the contract tests talk to, is installed. Prints the path of the Python that has it. Run it
// again at any time.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePythonTool, printPythonTool } from "./python-tool.mjs";

/** The behaviour that our tests and their declared gaps were written against (aws-facts §11). */
export const motoVersion = "5.2.5";

const moto = {
  name: "moto",
  version: motoVersion,
  packages: [`moto[server]==${motoVersion}`],
  tried: join(import.meta.dirname, "..", "test", "support", "moto", "requirements.txt"),
};

export async function ensureMoto(say = () => {}) {
  return ensurePythonTool(moto, say);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await printPythonTool(moto);
