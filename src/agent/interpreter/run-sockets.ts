import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync } from "node:fs";
import { createServer, type Socket } from "node:net";

/** What a forked process connects for one run. */
export interface RunStreams {
  readonly stdout: Socket;
  readonly stderr: Socket;
  readonly report: Socket;
}

/** Where forked processes bring their streams. Anybody in the sandbox can connect: only the token of an open run is listened to, once. */
export interface RunSockets {
  readonly path: string;
  /** Opens a run. Resolves with its streams, or null when its process says that it cannot run it. */
  expect(): { readonly token: string; readonly streams: Promise<RunStreams | null>; revoke(): void };
}

const roles = ["stdout", "stderr", "report"] as const;
/** Of `<token> <role>\n`. */
const longestHead = 64;
const headMs = 2_000;

interface Open {
  readonly found: Partial<Record<(typeof roles)[number], Socket>>;
  readonly resolve: (streams: RunStreams | null) => void;
}

/** The head line, without a byte of what follows it; undefined when it is none. */
function readHead(socket: Socket, done: (head: string | undefined) => void): void {
  const timer = setTimeout(() => finish(undefined), headMs);
  const finish = (head: string | undefined): void => {
    clearTimeout(timer);
    socket.off("readable", onReadable);
    done(head);
  };
  let head = "";
  const onReadable = (): void => {
    for (let byte: unknown = socket.read(1); Buffer.isBuffer(byte); byte = socket.read(1)) {
      if (byte[0] === 10) {
        finish(head);
        return;
      }
      head += byte.toString("latin1");
      if (head.length > longestHead) {
        finish(undefined);
        return;
      }
    }
  };
  socket.on("readable", onReadable);
}

/** @throws when no socket can be made in /tmp */
export function openRunSockets(): RunSockets {
  const runs = new Map<string, Open>();
  // The agent's own directory: user code may pass through it, and change nothing.
  const directory = mkdtempSync("/tmp/bulkhead-run-");
  chmodSync(directory, 0o711);
  const path = `${directory}/s`;

  function take(token: string, role: string, socket: Socket): boolean {
    const run = runs.get(token);
    if (run === undefined) return false;
    if (role === "refused") {
      runs.delete(token);
      run.resolve(null);
      return false;
    }
    const name = roles.find((known) => known === role);
    if (name === undefined || run.found[name] !== undefined) return false;
    run.found[name] = socket;
    const { stdout, stderr, report } = run.found;
    if (stdout !== undefined && stderr !== undefined && report !== undefined) {
      runs.delete(token);
      run.resolve({ stdout, stderr, report });
    }
    return true;
  }

  const server = createServer((socket) => {
    socket.on("error", () => {});
    readHead(socket, (head) => {
      const [token = "", role = ""] = head?.split(" ") ?? [];
      if (!take(token, role, socket)) socket.destroy();
    });
  });
  server.on("error", () => {});
  server.listen(path, () => chmodSync(path, 0o666));
  server.unref();
  return {
    path,
    expect() {
      const token = randomBytes(16).toString("hex");
      let settle: Open["resolve"] = () => {};
      const streams = new Promise<RunStreams | null>((resolve) => (settle = resolve));
      const open: Open = { found: {}, resolve: settle };
      runs.set(token, open);
      return {
        token,
        streams,
        revoke() {
          runs.delete(token);
          for (const socket of Object.values(open.found)) socket.destroy();
        },
      };
    },
  };
}
