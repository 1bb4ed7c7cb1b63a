import { type ChildProcess, spawn } from "node:child_process";

/** A server on this machine that ends with us. */
export interface PythonServer {
  /** http://127.0.0.1:port */
  readonly endpoint: string;
  stop(): Promise<void>;
}

export interface PythonServerOptions {
  /** For messages. */
  readonly name: string;
  /** A Python that has it. */
  readonly python: string;
  /** Serves on a port of 127.0.0.1 that it picks, and says `Running on http://127.0.0.1:port` when it is ready. */
  readonly program: string;
  readonly env?: Readonly<Record<string, string>>;
}

const startMs = 60_000;

/** Ends with us however we end: its standard input is a pipe that closes when this process is gone. */
const endsWithUs = `
import os, sys, threading
def watch():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
`;

/** @throws Error with what the server said when it does not start */
export async function startPythonServer(options: PythonServerOptions): Promise<PythonServer> {
  const child = spawn(options.python, ["-c", endsWithUs + options.program], {
    stdio: ["pipe", "ignore", "pipe"],
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "/tmp",
      PYTHONUNBUFFERED: "1",
      ...options.env,
    },
  });
  try {
    return { endpoint: await addressOf(options.name, child), stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

function addressOf(name: string, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(() => reject(new Error(`${name} did not start within ${startMs} ms:\n${said}`)), startMs);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    child.stderr?.on("data", (chunk: Buffer) => {
      if (said.length < 100_000) said += chunk.toString();
      const address = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
      if (address !== undefined) settle(() => resolve(address));
    });
    child.once("error", (error) => settle(() => reject(error)));
    child.once("exit", (code) => settle(() => reject(new Error(`${name} ended with ${code ?? "a signal"}:\n${said}`))));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
