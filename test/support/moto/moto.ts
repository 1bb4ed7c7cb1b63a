import { type ChildProcess, spawn } from "node:child_process";
import { ensureMoto } from "../../../scripts/ensure-moto.mjs";

/** A moto server of one's own: AWS's wire protocols on this machine. What it does otherwise than AWS stands in aws-facts §11. */
export interface Moto {
  /** http://127.0.0.1:port */
  readonly endpoint: string;
  /** Empties every service and sets the transitions again. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

const startMs = 60_000;

/** Ends with us however we end: its standard input is a pipe that closes when this process is gone. */
const program = `
import os, sys, threading
def watch():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
from moto.server import main
main(["-H", "127.0.0.1", "-p", "0"])
`;

/** Installs moto if it is not there yet (a minute or two, once). @throws Error that says what to do when it cannot */
export async function startMoto(): Promise<Moto> {
  const python = await ensureMoto((line) => console.error(line));
  const child = spawn(python, ["-c", program], {
    stdio: ["pipe", "ignore", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/tmp", PYTHONUNBUFFERED: "1" },
  });
  try {
    const endpoint = await addressOf(child);
    const moto: Moto = {
      endpoint,
      async reset() {
        await post(`${endpoint}/moto-api/reset`);
        // Else each DescribeTasks would move a task on towards its end.
        const transition = { progression: "manual", times: 100_000 };
        await post(`${endpoint}/moto-api/state-manager/set-transition`, { model_name: "ecs::task", transition });
      },
      stop: () => stop(child),
    };
    await moto.reset();
    return moto;
  } catch (error) {
    await stop(child);
    throw error;
  }
}

async function post(url: string, body?: unknown): Promise<void> {
  const init =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await fetch(url, { method: "POST", signal: AbortSignal.timeout(30_000), ...init });
  if (!answer.ok) throw new Error(`moto answered ${answer.status} to ${url}: ${await answer.text()}`);
}

/** It picks a free port and says which: ready when it has said so. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(() => reject(new Error(`moto did not start within ${startMs} ms:\n${said}`)), startMs);
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
    child.once("exit", (code) => settle(() => reject(new Error(`moto ended with ${code ?? "a signal"}:\n${said}`))));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
