// Makes sure that schemathesis, which makes requests from our OpenAPI document and judges the answers, is installed. Prints the path of
// the Python that has it. Run it again at any time.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePythonTool, printPythonTool } from "./python-tool.mjs";

const version = "4.32.5";

const schemathesis = {
  name: "schemathesis",
  version,
  packages: [`schemathesis==${version}`],
  tried: join(import.meta.dirname, "..", "test", "support", "schemathesis", "requirements.txt"),
};

export async function ensureSchemathesis(say = () => {}) {
  return ensurePythonTool(schemathesis, say);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await printPythonTool(schemathesis);
