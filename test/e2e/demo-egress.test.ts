import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";

/** The story of `npm run demo:egress`: each of its promises is looked at by itself. */
it("uses a secret that it cannot read, and keeps every promise of the demo", async () => {
  const child = spawn(process.execPath, ["node_modules/tsx/dist/cli.mjs", "scripts/demo-egress.ts"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  await once(child, "close");
  expect(output).toContain("Every promise kept.");
  expect(child.exitCode).toBe(0);
}, 120_000);
