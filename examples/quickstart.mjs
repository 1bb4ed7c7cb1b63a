// node examples/quickstart.mjs, with `npm start` running in another terminal.
import { readFileSync } from "node:fs";
import { Sandbox } from "@hopx-ai/sdk";

const baseURL = process.env.BULKHEAD_URL ?? "http://127.0.0.1:8080";
const apiKey = process.env.HOPX_API_KEY ?? readFileSync(".bulkhead/api-key", "utf8").trim();

const sandbox = await Sandbox.create({ template: "base", envVars: { GREETING: "hello" }, baseURL, apiKey });
try {
  await sandbox.files.write("/workspace/name.txt", "world");
  const result = await sandbox.runCode("import os; print(os.environ['GREETING'], open('name.txt').read())");
  console.log(result.stdout.trim());
} finally {
  await sandbox.kill();
}
