// Makes sure that ministack, the emulator that the synthesized templates are loaded into, is installed. Prints the path of the Python
// that has it. Run it again at any time.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePythonTool, printPythonTool } from "./python-tool.mjs";

/** What docs/emulator-coverage.md was written of. */
export const ministackVersion = "1.5.33";

const ministack = {
  name: "ministack",
  version: ministackVersion,
  // Without cryptography it makes no asymmetric key.
  packages: [`ministack==${ministackVersion}`, "cryptography"],
  tried: join(import.meta.dirname, "..", "test", "infra", "emulator", "requirements.txt"),
};

export async function ensureMinistack(say = () => {}) {
  return ensurePythonTool(ministack, say);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await printPythonTool(ministack);
