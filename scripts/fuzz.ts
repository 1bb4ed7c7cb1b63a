import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { startPlatform } from "#test/e2e/support/platform.ts";
import { runSchemathesis } from "./fuzz/run-schemathesis.ts";

const help = `npm run fuzz [-- options]

Starts a platform of its own and sends it requests that schemathesis makes from docs/openapi.json: right ones, wrong ones and odd ones.
Ends with exit code 1 on a 5xx, an answer that the document does not know, or one that takes longer than 30 s.

  --seconds N  how long (default 120)
  --seed N     makes the same requests again (default: 1)
`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(help);
} else {
  const platform = await startPlatform({
    flags: ["--no-code-interpreter"],
    // Every create that is right makes a real sandbox: few at a time, and they end soon.
    env: { BULKHEAD_MAX_SANDBOXES: "6", BULKHEAD_IDLE_TIMEOUT_SECONDS: "5", BULKHEAD_SWEEP_SECONDS: "1" },
  });
  try {
    const result = await runSchemathesis(
      {
        url: platform.url,
        apiKey: platform.apiKey,
        seconds: Number(values.seconds),
        seed: Number(values.seed),
        document: resolve(import.meta.dirname, "../docs/openapi.json"),
      },
      (text) => void process.stdout.write(text),
    );
    process.exitCode = result.failed ? 1 : 0;
  } finally {
    await platform.stop();
  }
}
