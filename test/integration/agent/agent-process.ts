import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { z } from "zod";

const root = join(import.meta.dirname, "../../..");

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body, when it is a JSON object. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AgentProcess {
  /** A fresh directory for working files. */
  readonly directory: string;
  readonly socketPath: string;
  readonly process: ChildProcess;
  /** What the agent wrote to stderr so far. */
  readonly log: () => string;
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** The raw request; the caller reads the answer. */
  open(options: RequestOptions): ReturnType<typeof request>;
  stop(): Promise<void>;
}

async function listen(path: string) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.new`, resolve));
  // Renamed, because closing our copy removes the path it listened on.
  renameSync(`${path}.new`, path);
  const handle: unknown = Reflect.get(server, "_handle");
  const fd = z.object({ fd: z.number() }).parse(handle).fd;
  return { fd, close: () => server.close() };
}

export function readAnswer(message: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    message.setEncoding("utf8");
    message.on("data", (chunk: string) => {
      text += chunk;
    });
    message.on("error", reject);
    message.on("end", () => {
      const json = message.headers["content-type"] === "application/json";
      const body = json ? z.record(z.string(), z.unknown()).parse(JSON.parse(text)) : {};
      resolve({ status: message.statusCode ?? 0, headers: message.headers, text, body });
    });
  });
}

/** The agent as it ships (bundled), unsandboxed, on an inherited Unix socket. Variables that are undefined are not set. */
export async function startAgent(variables: Readonly<Record<string, string | undefined>> = {}): Promise<AgentProcess> {
  const directory = mkdtempSync(join(tmpdir(), "bulkhead-agent-"));
  const bundle = join(directory, "agent.cjs");
  await build({
    entryPoints: [join(root, "src/agent/main.ts")],
    ...{ bundle: true, platform: "node", format: "cjs", target: "node20", outfile: bundle, logLevel: "error" },
  });
  const socketPath = join(directory, "agent.sock");
  const socket = await listen(socketPath);
  const child = spawn(process.execPath, [bundle], {
    stdio: ["ignore", "ignore", "pipe", socket.fd],
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: directory,
      TZ: "UTC",
      BULKHEAD_AGENT_FD: "3",
      BULKHEAD_INSTANCE_ID: "i0123456789abcdef",
      BULKHEAD_TEMPLATE: "base",
      BULKHEAD_ROOTS: JSON.stringify([directory]),
      BULKHEAD_TOOLS: join(directory, "tools"),
      ...variables,
    },
  });
  socket.close();
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  const agent = new Agent({ keepAlive: true });
  const open = (options: RequestOptions) => request({ socketPath, agent, ...options });
  return {
    directory,
    socketPath,
    process: child,
    log: () => log,
    open,
    ask: (method, path, body, headers = {}) =>
      new Promise((resolve, reject) => {
        const sent = open({ method, path, headers: { "content-type": "application/json", ...headers } });
        sent.on("error", reject);
        sent.on("response", (message) => void readAnswer(message).then(resolve, reject));
        sent.end(typeof body === "string" || body === undefined ? body : JSON.stringify(body));
      }),
    async stop() {
      agent.destroy();
      if (child.exitCode === null && child.signalCode === null) {
        const gone = new Promise((resolve) => child.on("exit", resolve));
        child.kill("SIGKILL");
        await gone;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Polls until `condition` holds; fails after `limitMs`. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const giveUp = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > giveUp) throw new Error("the awaited condition did not come true");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
