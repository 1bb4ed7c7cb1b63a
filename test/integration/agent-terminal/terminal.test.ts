import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signalProcess } from "#agent/exec/kill-run.ts";
import { terminalEventSchema } from "#contracts/agent/terminal.ts";
import { type AgentProcess, until } from "../agent/agent-process.ts";
import { openSocket, type Socket, startUserAgent, userId } from "./support.ts";

let agent: AgentProcess;
beforeAll(async () => {
  agent = await startUserAgent();
});
afterAll(async () => {
  await agent.stop();
  // In a sandbox the agent's end is the end of all of them.
  await until(() => {
    for (const each of userProcesses()) signalProcess(Number.parseInt(each, 10), "SIGKILL");
    return userProcesses().length === 0;
  });
});

const plain = "/terminal?shell=sh";

interface Terminal extends Socket {
  text(): string;
  type(data: string): void;
  /** Waits for text that was not there before; the echo of what is typed counts, so ask for what only the answer holds. */
  see(pattern: RegExp): Promise<void>;
  exit(): Promise<number>;
}

async function openTerminal(path = "/terminal"): Promise<Terminal> {
  const socket = await openSocket(agent, path);
  const text = () =>
    socket.frames
      .map((frame) => terminalEventSchema.parse(frame))
      .map((frame) => (frame.type === "output" ? frame.data : ""))
      .join("");
  return {
    ...socket,
    text,
    type: (data) => socket.send({ type: "input", data }),
    see: (pattern) => until(() => pattern.test(text())),
    async exit() {
      await socket.closed;
      const last = terminalEventSchema.parse(socket.frames.at(-1));
      if (last.type !== "exit") throw new Error(`the last frame is ${JSON.stringify(last)}`);
      return last.code;
    },
  };
}

/** Processes of the user, without those that end just now. */
function userProcesses(): readonly string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      if (!new RegExp(`^Uid:\\s+${userId}\\b`, "m").test(status) || /^State:\s+Z/m.test(status)) return [];
      return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")}`];
    } catch {
      return [];
    }
  });
}

describe("a terminal", () => {
  it("is a real one, of the user's own, with job control", async () => {
    const terminal = await openTerminal("/terminal?cols=101&rows=31");
    terminal.type("tty; id -u; stty size; stty -a; echo term=$TERM; sleep 100 &\n");
    await terminal.see(/\/dev\/pts\/\d+\r\n4321\r\n31 101\r\n/);
    await terminal.see(/[^-]iutf8/);
    await terminal.see(/term=xterm-256color\r\n\[1\] \d+/);
    terminal.type("jobs; kill %1; exit 3\n");
    await terminal.see(/Running +sleep 100/);
    expect(await terminal.exit()).toBe(3);
    await until(() => userProcesses().length === 0);
  });

  it("follows resizes, with SIGWINCH", async () => {
    const terminal = await openTerminal();
    terminal.type('trap \'echo si""ze; stty size\' WINCH; echo re""ady\n');
    await terminal.see(/ready\r\n/);
    terminal.send({ type: "resize", cols: 132, rows: 50 });
    await terminal.see(/size\r\n50 132/);
    terminal.type("exit\n");
    await terminal.closed;
  });

  it("passes Ctrl-C, Ctrl-Z and Ctrl-D on", async () => {
    const terminal = await openTerminal();
    terminal.type("echo fi''rst; sleep 1000\n");
    await terminal.see(/first\r\n/);
    await until(() => userProcesses().some((each) => each.includes("sleep 1000")));
    terminal.type("\x03");
    await terminal.see(/\^C[\s\S]*\$ $/);
    terminal.type("echo code=$?; sleep 2000\n");
    await terminal.see(/code=130/);
    await until(() => userProcesses().some((each) => each.includes("sleep 2000")));
    terminal.type("\x1a");
    await terminal.see(/Stopped +sleep 2000[\s\S]*\$ $/);
    terminal.type("kill %1; cat; echo after''wards\n");
    await until(() => userProcesses().some((each) => / \S*cat $/.test(each) && !each.includes("/bin/cat")));
    terminal.type("\x04");
    await terminal.see(/afterwards\r\n[\s\S]*\$ $/);
    terminal.type("\x04");
    expect(await terminal.exit()).toBe(0);
  });

  it.each([
    ["kill -9 $$", 137],
    ["kill -HUP $$", 129],
    ["exec sh -c 'exit 42'", 42],
  ])("tells how the shell ended: %s", async (line, code) => {
    const terminal = await openTerminal();
    terminal.type(`${line}\n`);
    expect(await terminal.exit()).toBe(code);
    expect(await terminal.closed).toBe(1000);
  });

  it("starts another program, elsewhere, with the sandbox's environment", async () => {
    await agent.ask("PUT", "/env", { env_vars: { GREETING: "hello", TERM: "vt100", COLUMNS: "7" } });
    const terminal = await openTerminal(`${plain}&workdir=/usr`);
    terminal.type('pwd; echo "$GREETING $TERM [$COLUMNS] $0"; exit\n');
    await terminal.see(/\/usr\r\nhello vt100 \[\] \/.*sh\r\n/);
    expect(await terminal.exit()).toBe(0);
    await agent.ask("DELETE", "/env");
  });

  it("does not break characters that come in pieces", async () => {
    const terminal = await openTerminal(plain);
    // One byte at a time, each in a read of its own.
    terminal.type("for b in 342 202 254 360 237 230 200; do printf \"\\\\$b\"; sleep 0.05; done; echo; echo do''ne\n");
    await terminal.see(/done\r\n/);
    expect(terminal.text()).toContain("€😀\r\n");
    expect(terminal.text()).not.toContain("\ufffd");
    terminal.type("exit\n");
    await terminal.closed;
  });

  it("loses nothing of what a program wrote before its end, however slow the caller reads", async () => {
    const terminal = await openTerminal(plain);
    terminal.ws.pause();
    terminal.type("stty -echo -onlcr; seq 1 500000; exit 5\n");
    await until(() => userProcesses().some((each) => each.includes("seq 1 500000")));
    terminal.ws.resume();
    expect(await terminal.exit()).toBe(5);
    const numbers = terminal.text().slice(terminal.text().lastIndexOf("exit 5"));
    const expected = Array.from({ length: 500_000 }, (_, index) => String(index + 1)).join("\n");
    expect(numbers.includes(expected)).toBe(true);
  });

  it("takes no thread: at the process limit one that cannot be started would end the agent", async () => {
    const threads = () => readdirSync(`/proc/${agent.process.pid}/task`).length;
    const before = threads();
    const terminals = await Promise.all([1, 2, 3, 4, 5].map(() => openTerminal(plain)));
    for (const terminal of terminals) {
      terminal.type("echo be''gun\n");
      await terminal.see(/begun\r\n/);
      terminal.send({ type: "resize", cols: 90, rows: 30 });
    }
    expect(threads()).toBe(before);
    for (const terminal of terminals) terminal.type("exit\n");
    await Promise.all(terminals.map((terminal) => terminal.closed));
    expect(threads()).toBe(before);
  });

  it("is inherited by nobody", async () => {
    const terminal = await openTerminal(plain);
    await terminal.see(/\$/);
    const listed = await agent.ask("POST", "/commands/run", { command: "ls -l /proc/self/fd", workdir: "/" });
    expect(listed.body["stdout"]).not.toMatch(/ptmx|pts/);
    terminal.type("ls -l /proc/$$/fd | grep -c ptmx; exit\n");
    await terminal.see(/ptmx; exit\r\n0\r\n/);
    await terminal.closed;
  });
});

describe("bad frames", () => {
  it("are answered with an error, and the terminal goes on", async () => {
    const terminal = await openTerminal(plain);
    for (const frame of [
      { type: "resize", cols: 0, rows: 24 },
      { type: "resize", cols: 80, rows: 1001 },
      { type: "resize", cols: 80.5, rows: 24 },
      { type: "input" },
      { type: "input", data: 7 },
      { type: "paste", data: "x" },
      {},
    ]) {
      terminal.send(frame);
    }
    terminal.type("exit 9\n");
    expect(await terminal.exit()).toBe(9);
    const codes = terminal.frames.flatMap((frame) => (frame.type === "error" ? [frame["code"]] : []));
    expect(codes).toEqual([
      ...["INVALID_REQUEST", "INVALID_REQUEST", "INVALID_REQUEST", "MISSING_PARAMETER"],
      ...["INVALID_REQUEST", "INVALID_REQUEST", "MISSING_PARAMETER"],
    ]);
  });

  it.each([
    ["/terminal?cols=0", "400"],
    ["/terminal?rows=x", "400"],
    ["/terminal?shell=no-such-shell", "400"],
    ["/terminal?workdir=%00", "400"],
  ])("%s is refused", async (path, status) => {
    await expect(openSocket(agent, path)).rejects.toThrow(status);
  });

  it("say why no shell could be started", async () => {
    const terminal = await openTerminal("/terminal?workdir=/no/such/place");
    expect(await terminal.closed).toBe(1011);
    expect(terminal.frames).toMatchObject([{ type: "error", code: "DIRECTORY_NOT_FOUND" }]);
  });
});

describe("a caller", () => {
  it("who goes away takes everything along, also what has left the session", async () => {
    const terminal = await openTerminal();
    terminal.type("setsid sh -c 'trap \"\" HUP TERM; sleep 3000; sleep 3001' & nohup sleep 3002 & sleep 3003\n");
    await until(() =>
      ["3000", "3002", "3003"].every((n) => userProcesses().some((each) => each.includes(`sleep ${n}`))),
    );
    terminal.ws.terminate();
    await until(() => userProcesses().length === 0);
    await until(() => openTerminals() === 0);
  });

  it("who stops reading holds the program back; memory stays bounded", async () => {
    const before = residentMb();
    const terminal = await openTerminal();
    terminal.ws.pause();
    terminal.type("yes 'a line that is repeated for ever and a day'\n");
    const yes = () =>
      Number(
        userProcesses()
          .find((each) => each.includes("yes "))
          ?.split(" ")[0] ?? 0,
      );
    await until(() => yes() > 0);
    // Blocked: it writes no more although it could.
    await until(() => /^State:\s+S/m.test(readFileSync(`/proc/${yes()}/status`, "utf8")) && isSteady(yes()));
    expect(residentMb() - before).toBeLessThan(40);
    expect((await agent.ask("GET", "/ping")).status).toBe(200);
    terminal.ws.resume();
    await until(() => terminal.text().length > 5_000_000);
    terminal.ws.terminate();
    await until(() => userProcesses().length === 0);
  });

  it("whose input nobody reads is held back as well, and can still go away", async () => {
    const before = residentMb();
    const terminal = await openTerminal(plain);
    terminal.type("stty raw -echo; echo re''ady; sleep 4000\n");
    await terminal.see(/ready/);
    await until(() => userProcesses().some((each) => each.includes("sleep 4000")));
    const block = "x".repeat(64 * 1024);
    for (let sent = 0; sent < 512; sent += 1) terminal.type(block);
    await until(() => terminal.ws.bufferedAmount > 16 * 1024 * 1024 && residentMb() - before < 40);
    expect((await agent.ask("GET", "/ping")).status).toBe(200);
    terminal.type("never read");
    terminal.ws.terminate();
    await until(() => userProcesses().length === 0, 45_000);
  });

  it("can open many, up to a limit, and none too few later", async () => {
    const open: Terminal[] = [];
    // Those of the tests before are counted until nothing is left of them.
    while (open.length < 32)
      open.push(
        ...(await openTerminal(plain).then(
          (each) => [each],
          () => [],
        )),
      );
    await expect(openSocket(agent, plain)).rejects.toThrow("403");
    for (const terminal of open) terminal.ws.terminate();
    let again: Terminal | undefined;
    while (again === undefined) again = await openTerminal(plain).catch(() => undefined);
    again.type("exit\n");
    expect(await again.exit()).toBe(0);
  });
});

describe("a terminal whose relay somebody kills", () => {
  it("has ended: its processes go, and the caller is told", async () => {
    const terminal = await openTerminal();
    terminal.type("trap '' HUP; sleep 5000\n");
    await until(() => userProcesses().some((each) => each.includes("sleep 5000")));
    for (const each of userProcesses()) {
      if (each.includes("/bin/cat")) signalProcess(Number.parseInt(each, 10), "SIGKILL");
    }
    expect(await terminal.exit()).toBeGreaterThan(128);
    await until(() => userProcesses().length === 0);
  });
});

describe("an agent without a user of its own for code", () => {
  it("has terminals, too", async () => {
    const own = await startUserAgent({ user: false });
    const socket = await openSocket(own, plain);
    socket.send({ type: "input", data: "id -u; exit 4\n" });
    expect(await socket.closed).toBe(1000);
    expect(socket.frames.at(-1)).toEqual({ type: "exit", code: 4 });
    await own.stop();
  });
});

describe("where the platform has no native part", () => {
  it("says so and lives on", async () => {
    const without = await startUserAgent({ pty: false });
    await expect(openSocket(without, plain)).rejects.toThrow("422");
    expect((await without.ask("GET", "/ping")).status).toBe(200);
    await without.stop();
  });
});

function residentMb(): number {
  const status = readFileSync(`/proc/${agent.process.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

/** Bytes written do not grow any more: asked twice in a row with everything in between having had its turn. */
const written = new Map<number, string>();
function isSteady(pid: number): boolean {
  const now = /^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1] ?? "";
  const steady = written.get(pid) === now;
  written.set(pid, now);
  return steady;
}

/** Descriptors of terminals that the agent itself has. */
function openTerminals(): number {
  const directory = `/proc/${agent.process.pid}/fd`;
  return readdirSync(directory).filter((fd) => {
    const path = `${directory}/${fd}`;
    return existsSync(path) && /ptmx|pts/.test(readlinkSync(path));
  }).length;
}
