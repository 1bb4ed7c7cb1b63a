import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { egress } from "./egress/egress.ts";
import { floors } from "./floors.ts";
import { cold, crowd, warm } from "./latency.ts";
import { methods } from "./methods.ts";
import { describeMachine, machine, type Row, resultTable } from "./report.ts";
import { audit } from "./security/audit.ts";
import { keysAndAccess } from "./security/keys.ts";
import { transfers } from "./transfer.ts";

/**
 * `npm run bench -- [--quick] [--only PART,…] [--json FILE]`: speed and size, with their floors in the same run. Figures are
 * printed and never asserted. The platform runs in processes of its own; this one is the client.
 */
const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, json: { type: "string" }, only: { type: "string" } },
});
const only = values.only?.split(",");
const few = values.quick;

const parts: readonly (readonly [string, () => Promise<Row[]>])[] = [
  ["floors", () => floors(few ? 10 : 60)],
  ["warm", () => warm(few ? 10 : 100)],
  ["cold", () => cold(few ? 5 : 30)],
  ["files", () => transfers(few ? 2 : 7)],
  ["methods", () => methods(few ? 10 : 100)],
  ["egress", () => egress(few)],
  ["access", () => keysAndAccess(few ? 5 : 50)],
  ["audit", () => audit(few)],
  ["crowd", () => (few ? crowd(10, 20) : crowd(100, 200))],
];

const rows: Row[] = [];
for (const [name, measure] of parts.filter(([part]) => only === undefined || only.includes(part))) {
  process.stderr.write(`measuring ${name} …\n`);
  try {
    rows.push(...(await measure()));
  } catch (error) {
    // One part that fails is a row, not the end of the others.
    rows.push({
      what: name,
      unit: "",
      summary: null,
      note: `failed: ${error instanceof Error ? error.message : String(error)}`,
    });
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  }
}

const here = machine();
process.stdout.write(`\n${describeMachine(here)}\n\n${resultTable(rows)}\n`);
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ machine: here, rows }, null, 2)}\n`);
