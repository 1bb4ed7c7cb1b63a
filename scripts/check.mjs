// `npm test`: every check in order, each with its name and time; ends with one line `N passed, N failed`.
// A failing check does not hide the ones after it. Options: --only NAME[,NAME] --list
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const reports = await mkdtemp(join(tmpdir(), "bulkhead-check-"));
const vitest = (project) => ({
  name: project,
  command: [
    "vitest",
    "run",
    "--project",
    project,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${join(reports, `${project}.json`)}`,
  ],
  report: join(reports, `${project}.json`),
});

const checks = [
  { name: "build", command: ["node", "scripts/build.mjs"] },
  { name: "format and lint", command: ["biome", "ci", "--error-on-warnings", "."] },
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "infra types", command: ["tsc", "-p", "infra"] },
  { name: "typed lint", command: ["eslint", "."] },
  { name: "import rules", command: ["depcruise", "src", "infra", "lambdas"] },
  { name: "unused code", command: ["knip"] },
  { name: "openapi drift", command: ["tsx", "scripts/openapi.ts", "--check"] },
  vitest("unit"),
  vitest("contract"),
  vitest("infra"),
  vitest("simulation"),
  vitest("integration"),
  vitest("e2e"),
];

function run([program, ...args]) {
  const path = `${join(process.cwd(), "node_modules", ".bin")}:${process.env.PATH ?? ""}`;
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, PATH: path } });
  return new Promise((resolve) => {
    child.on("error", () => resolve(127));
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** Name and first lines of why, of each test or file that failed. */
function failuresOf(report) {
  return report.testResults.flatMap((file) => {
    const tests = file.assertionResults.filter((test) => test.status === "failed");
    const inFile = tests.map((test) => [test.fullName, test.failureMessages?.[0]]);
    const all = tests.length === 0 && file.status === "failed" ? [["the file itself", file.message]] : inFile;
    return all.map(
      ([name, why]) => `${file.name} > ${name}\n    ${String(why).split("\n").slice(0, 6).join("\n    ")}`,
    );
  });
}

/** Tests inside a vitest run count one by one; any other check counts as one. */
async function counts(check, code) {
  if (check.report !== undefined) {
    try {
      const report = JSON.parse(await readFile(check.report, "utf8"));
      const failed = report.numFailedTests + (code !== 0 && report.numFailedTests === 0 ? 1 : 0);
      return { passed: report.numPassedTests, failed, skipped: report.numPendingTests, failures: failuresOf(report) };
    } catch {
      return { passed: 0, failed: 1, skipped: 0, failures: [] };
    }
  }
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, failures: [] };
}

const only = process.argv[2] === "--only" ? (process.argv[3] ?? "").split(",") : null;
if (process.argv[2] === "--list") {
  console.log(checks.map((check) => check.name).join("\n"));
  process.exit(0);
}
const total = { passed: 0, failed: 0, skipped: 0 };
const lines = [];
const why = [];
for (const check of checks.filter((one) => only === null || only.includes(one.name))) {
  console.log(`\n== ${check.name}`);
  const start = Date.now();
  const code = await run(check.command);
  const { passed, failed, skipped, failures } = await counts(check, code);
  why.push(...failures);
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  lines.push(
    `${failed === 0 ? "ok  " : "FAIL"} ${check.name} (${passed} passed, ${failed} failed, ${skipped} skipped, ${Math.round((Date.now() - start) / 1000)} s)`,
  );
}
await rm(reports, { recursive: true, force: true });
console.log(`\n${lines.join("\n")}\n`);
// Again at the end: of a long log often only the end is kept.
if (why.length > 0) console.log(`Failed:\n${why.join("\n")}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
