import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import { systemClock } from "#core/system-clock.ts";
import { reportCrash } from "#telemetry/crash.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import type { Logger } from "#telemetry/logger.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";
import { type Assets, findAssets } from "./assets.ts";
import { runCommand } from "./compute/run-command.ts";
import { type LocalConfig, parseLocalConfig } from "./config.ts";
import { doctorReport } from "./doctor.ts";
import { doctorText } from "./doctor-text.ts";
import { lockHome, openHome } from "./home.ts";
import { ensureBubblewrap } from "./probe/bubblewrap.ts";
import type { HostFacts } from "./probe/facts.ts";
import { hostActions } from "./probe/host-actions.ts";
import { probeHost } from "./probe/probe.ts";
import { makeProgress, type Progress } from "./progress.ts";
import { startLocalPlatform } from "./start.ts";
import { welcome } from "./welcome.ts";

/** Composition root of the platform on one machine: `local.mjs start` and `local.mjs doctor [--json]`, run by the command line. */

// Node 20 is this project's floor for now; what the SDK has to say about it helps no operator.
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";

/** What this process writes, whatever way, passes through `hide`. */
const secretValues = makeSecretValues();
const hide = (text: string) => secretValues.hide(text);

const progress = makeProgress((text) => process.stderr.write(text));

async function probe(config: LocalConfig, assets: Assets, allowInstall: boolean): Promise<HostFacts> {
  const actions = hostActions({ dataDir: config.home, seccompDirectory: assets.seccompDirectory });
  await ensureBubblewrap({
    run: runCommand,
    root: actions.uid === 0,
    osRelease: actions.readText("/etc/os-release") ?? "",
    allowInstall,
    onProgress: (text) => progress.step(text),
  });
  return probeHost(actions);
}

/** @throws BulkheadError when no sandbox could ever run here */
function requireUsable(host: HostFacts, output: Progress): void {
  for (const warning of host.warnings) output.warn(`${warning.what} ${warning.fix}`);
  if (host.problems.length === 0) return;
  const lines = host.problems.map(({ what, fix }) => `${what}\n    ${fix}`);
  throw new BulkheadError("SERVICE_UNAVAILABLE", `Sandboxes cannot run on this machine:\n  ${lines.join("\n  ")}`);
}

async function start(config: LocalConfig, assets: Assets, logger: Logger): Promise<void> {
  const stopAsked = new Promise<string>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve(signal));
  });
  const began = Date.now();
  progress.plain("Bulkhead is starting");
  const home = await openHome(config.home);
  const unlock = await lockHome(home);
  try {
    const host = await probe(config, assets, config.install);
    requireUsable(host, progress);
    if (!config.allowUnenforced && !doctorReport(host).ok) {
      progress.warn(
        "Every create is refused until its limits can be enforced, or the platform is started with --allow-unenforced.",
      );
    }
    const xdgRuntimeDir = process.env["XDG_RUNTIME_DIR"];
    const platform = await startLocalPlatform({
      config,
      home,
      host,
      assets,
      xdgRuntimeDir,
      logger,
      progress,
      secretValues,
    });
    progress.plain(welcome({ platform, home, host, ms: Date.now() - began }));
    const signal = await stopAsked;
    progress.plain(`${signal}: ending all sandboxes`);
    const ended = await platform.stop();
    progress.done(`${ended} ${ended === 1 ? "sandbox" : "sandboxes"} ended, nothing is left`);
  } finally {
    await unlock();
  }
}

async function doctor(config: LocalConfig, assets: Assets, json: boolean): Promise<void> {
  const report = doctorReport(await probe(config, assets, false));
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : doctorText(report));
  process.exitCode = report.ok ? 0 : 1;
}

async function main(): Promise<void> {
  const [command = "start", ...rest] = process.argv.slice(2);
  const config = parseLocalConfig(process.env, process.cwd());
  const assets = findAssets(dirname(fileURLToPath(import.meta.url)));
  const logger = makeJsonLogger({
    level: config.logLevel,
    write: (line) => process.stderr.write(`${line}\n`),
    now: () => systemClock.now(),
    hide,
  });
  reportCrash(logger, { rejections: "log" });
  if (command === "start") await start(config, assets, logger);
  else if (command === "doctor") await doctor(config, assets, rest.includes("--json"));
  else throw new BulkheadError("INVALID_REQUEST", `Unknown command ${command}. Use: start, doctor.`);
}

main().then(
  // Whatever still holds the event loop (a kept connection) must not hold the end.
  () => process.exit(),
  (thrown: unknown) => {
    const error = thrown instanceof Error && !(thrown instanceof BulkheadError) ? thrown : toBulkheadError(thrown);
    process.stderr.write(`bulkhead: ${hide(error.message)}\n`);
    process.exit(1);
  },
);
