import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { childrenOf } from "./host.ts";
import { until } from "./until.ts";

/** The built command, which `npm run build` makes; BULKHEAD_COMMAND names another one to test. */
const bulkheadCommand = process.env["BULKHEAD_COMMAND"] ?? resolve(import.meta.dirname, "../../../dist/bulkhead.mjs");

export interface PlatformOptions {
  /** Data directory to use again; default is a new one in the temporary directory, removed by `stop`. */
  readonly home?: string;
  readonly port?: number;
  readonly gatewayPort?: number;
  /** More flags of `bulkhead start`; default leaves code-interpreter out, which installs packages. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Start as this host user instead of our own. */
  readonly uid?: number;
  readonly startDeadlineMs?: number;
}

/** A real platform in processes of its own. */
export interface RunningPlatform {
  readonly url: string;
  readonly gatewayUrl: string;
  readonly apiKey: string;
  readonly home: string;
  readonly port: number;
  readonly gatewayPort: number;
  /** Process of the command. */
  readonly pid: number;
  /** Process of the platform itself, the command's child. */
  readonly platformPid: number;
  /** All it has written to standard output and error. */
  output(): string;
  /** Ctrl-C, then wait until it has gone; answers with the exit code. Removes `home` unless told to keep it. */
  stop(options?: { readonly signal?: NodeJS.Signals; readonly keepHome?: boolean }): Promise<number | null>;
  /** kill -9 of the command and the platform, nothing is given time to clean up. */
  crash(): Promise<void>;
}

/** Two ports that were free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Runs `bulkhead` with arguments and waits for its end. */
export async function bulkhead(
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly timeoutMs?: number;
    readonly input?: string;
  } = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [bulkheadCommand, ...args], {
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 60_000,
  });
  child.stdin.end(options.input ?? "");
  const written = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (written.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (written.stderr += chunk.toString()));
  await once(child, "close");
  return { code: child.exitCode, ...written };
}

/** @throws Error with what the platform wrote when it does not come up before the deadline */
export async function startPlatform(options: PlatformOptions = {}): Promise<RunningPlatform> {
  if (!existsSync(bulkheadCommand)) throw new Error(`${bulkheadCommand} is missing: run "npm run build" first.`);
  const home = options.home ?? (await mkdtemp(join(tmpdir(), "bulkhead-e2e-")));
  const port = options.port ?? (await freePort());
  const gatewayPort = options.gatewayPort ?? (await freePort());
  if (options.uid !== undefined) await chown(home, options.uid, options.uid);
  const { child, output } = spawnPlatform(options, home, port, gatewayPort);
  const pid = child.pid;
  if (pid === undefined) throw new Error("the platform was not started");
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilHealthy(url, join(home, "api-key"), child, options.startDeadlineMs ?? 120_000);
  } catch (cause) {
    child.kill("SIGTERM");
    throw new Error(`The platform did not come up. It wrote:\n${output()}`, { cause });
  }
  const platformPid = childrenOf(pid)[0] ?? pid;
  return {
    url,
    gatewayUrl: `http://127.0.0.1:${gatewayPort}`,
    apiKey: readFileSync(join(home, "api-key"), "utf8").trim(),
    home,
    port,
    gatewayPort,
    pid,
    platformPid,
    output,
    async stop({ signal = "SIGINT", keepHome = false } = {}) {
      if (!ended(child)) {
        const exit = once(child, "exit");
        child.kill(signal);
        await deadline(exit, 60_000, () => `the platform did not end after ${signal}. It wrote:\n${output()}`);
      }
      if (!keepHome) await rm(home, { recursive: true, force: true });
      return child.exitCode;
    },
    async crash() {
      const exit = once(child, "exit");
      process.kill(platformPid, "SIGKILL");
      child.kill("SIGKILL");
      await deadline(exit, 10_000, () => "SIGKILL did not end the command");
    },
  };
}

function spawnPlatform(options: PlatformOptions, home: string, port: number, gatewayPort: number) {
  const flags = options.flags ?? ["--no-code-interpreter"];
  const command = [process.execPath, bulkheadCommand, "start", "--home", home, "--port", String(port)];
  command.push("--gateway-port", String(gatewayPort), ...flags);
  const user = String(options.uid);
  const drop = options.uid === undefined ? [] : ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--"];
  const [file = process.execPath, ...args] = [...drop, ...command];
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env } });
  let written = "";
  const keep = (chunk: Buffer): void => {
    written = (written + chunk.toString()).slice(-200_000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  // A test that fails before it has a platform to stop leaves none running.
  const killWithUs = (): void => void child.kill("SIGTERM");
  process.once("exit", killWithUs);
  child.once("exit", () => process.off("exit", killWithUs));
  return { child, output: () => written };
}

async function untilHealthy(url: string, keyFile: string, child: ChildProcess, timeoutMs: number): Promise<void> {
  await until(
    "healthy platform",
    async () => {
      if (ended(child)) throw new Error(`it ended with ${child.exitCode ?? child.signalCode ?? "no code"}`);
      const response = await fetch(`${url}/health`).catch(() => undefined);
      return response?.ok === true && existsSync(keyFile);
    },
    { timeoutMs, everyMs: 50, throwErrors: true },
  );
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function deadline<T>(promise: Promise<T>, timeoutMs: number, message: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message())), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
