import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { runCommand } from "#local/compute/run-command.ts";
import { installCommand } from "#local/probe/bubblewrap.ts";
import { until } from "./until.ts";

/** One window of a terminal multiplexer: a real terminal that a program draws. */
export interface Pane {
  /** Types text as it is. */
  type(text: string): Promise<void>;
  /** Presses keys by tmux's names: Enter, C-c. */
  press(...keys: readonly string[]): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** What the screen shows. */
  screen(): Promise<string>;
  /** Waits until the screen shows it. */
  shows(expected: RegExp): Promise<string>;
  /** Appends all that programs write from now on to a file. */
  record(file: string): Promise<void>;
  close(): Promise<void>;
}

const program = "/usr/bin/tmux";

/** Installs tmux where that needs no question, or says what to run. */
export async function ensureTmux(): Promise<void> {
  if (existsSync(program)) return;
  const fix = installCommand(readFileSync("/etc/os-release", "utf8"), ["tmux"]);
  if (process.getuid?.() === 0 && fix.includes("apt-get")) {
    const options = { timeoutMs: 200_000, environment: { DEBIAN_FRONTEND: "noninteractive" } };
    const install = ["install", "-y", "--no-install-recommends", "tmux"];
    if ((await runCommand("apt-get", install, options)).code !== 0) {
      await runCommand("apt-get", ["update"], options);
      await runCommand("apt-get", install, options);
    }
  }
  if (!existsSync(program))
    throw new Error(`tmux, which drives a real terminal in this test, is not installed. Run: ${fix}`);
}

/** Starts `command` (a line for a shell) in a terminal of its own, on a server of its own. */
export async function openPane(command: string, environment: Readonly<Record<string, string>>): Promise<Pane> {
  const socket = `bulkhead-test-${randomBytes(6).toString("hex")}`;
  const tmux = async (...args: readonly string[]): Promise<string> => {
    const options = {
      environment: { LANG: "C.UTF-8", LC_ALL: "C.UTF-8", TERM: "xterm-256color", HOME: "/tmp", ...environment },
    };
    const { code, stdout, stderr } = await runCommand(
      program,
      ["-u", "-L", socket, "-f", "/dev/null", ...args],
      options,
    );
    if (code !== 0) throw new Error(`tmux ${args[0] ?? ""}: ${stderr}`);
    return stdout;
  };
  await tmux("new-session", "-d", "-s", "test", "-x", "100", "-y", "30", command);
  const screen = () => tmux("capture-pane", "-p", "-J", "-t", "test");
  return {
    type: async (text) => {
      await tmux("send-keys", "-t", "test", "-l", text);
    },
    press: async (...keys) => {
      await tmux("send-keys", "-t", "test", ...keys);
    },
    resize: async (columns, rows) => {
      await tmux("resize-window", "-t", "test", "-x", String(columns), "-y", String(rows));
    },
    screen,
    async shows(expected) {
      let last = "";
      try {
        return await until(`screen with ${String(expected)}`, async () => {
          last = await screen();
          return expected.test(last) ? last : undefined;
        });
      } catch (cause) {
        throw new Error(`The screen never showed ${String(expected)}. It shows:\n${last}`, { cause });
      }
    },
    record: async (file) => {
      await tmux("pipe-pane", "-t", "test", `cat >> '${file}'`);
    },
    close: async () => {
      await tmux("kill-server").catch(() => undefined);
    },
  };
}
