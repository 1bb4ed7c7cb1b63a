import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Launched } from "#core/ports.ts";
import { aPlatform, aRequest, runInside, type TestPlatform, traces } from "./support.ts";

let platform: TestPlatform;
let launched: Launched;

beforeAll(async () => {
  platform = await aPlatform();
  launched = await platform.compute.launch(aRequest());
});

afterAll(async () => {
  await platform.remove();
  expect(traces(platform)).toEqual([]);
});

const python = (lines: string): string => `python3 - <<'END'\n${lines}\nEND`;

const bpf = process.arch === "x64" ? 321 : 280;

/** Attempt, script, what it must print, and in which tiers. */
const attempts: readonly [string, string, RegExp, "any" | "two-uid"][] = [
  ["write core_pattern", "echo x >/proc/sys/kernel/core_pattern", /Permission denied|Read-only/, "any"],
  ["write overcommit_ratio", "echo 50 >/proc/sys/vm/overcommit_ratio", /Permission denied|Read-only/, "any"],
  ["make a user namespace", "unshare -Ur true", /Operation not permitted|No space/, "any"],
  [
    "make a user namespace with clone",
    "bwrap --ro-bind / / true",
    /[Nn]o permissions|Operation not permitted|No space/,
    "any",
  ],
  ["mount", "mount -t tmpfs x /tmp", /permission denied|must be superuser|not permitted/i, "any"],
  [
    "open a vsock",
    python("import socket\nsocket.socket(40, socket.SOCK_STREAM)"),
    /Address family not supported/,
    "any",
  ],
  [
    "open a packet socket",
    python("import socket\nsocket.socket(17, socket.SOCK_RAW)"),
    /Address family not supported/,
    "any",
  ],
  [
    "type into a terminal (TIOCSTI)",
    python("import fcntl, pty\n_, s = pty.openpty()\nfcntl.ioctl(s, 0x5412, b'x')"),
    /Operation not permitted/,
    "any",
  ],
  [
    "use io_uring",
    python(
      "import ctypes, os\nl = ctypes.CDLL(None, use_errno=True)\nprint(l.syscall(425, 8, 0), os.strerror(ctypes.get_errno()))",
    ),
    /-1 Function not implemented/,
    "any",
  ],
  [
    "use bpf",
    python(
      `import ctypes, os\nl = ctypes.CDLL(None, use_errno=True)\nprint(l.syscall(${bpf}, 0, 0, 0), os.strerror(ctypes.get_errno()))`,
    ),
    /-1 Operation not permitted/,
    "any",
  ],
  ["read the host's accounts", "cat /etc/shadow", /No such file/, "any"],
  [
    "see the host's directories",
    "ls -d /root /var/log /work /run/bulkhead/*",
    /cannot access '\/root'.*cannot access/s,
    "any",
  ],
  [
    "write the base",
    "touch /x /usr/x /etc/x /dev/x /opt/bulkhead/x; echo; mkdir /run/x",
    /Read-only file system/,
    "any",
  ],
  ["reach a network", "exec 3<>/dev/tcp/1.1.1.1/80", /Network is unreachable/, "any"],
  ["find an interface", "cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '", /^lo$/m, "any"],
  ["kill the agent", "kill -9 1 2", /\(1\) - Operation not permitted.*\(2\) - Operation not permitted/s, "two-uid"],
  ["read the agent's environment", "cat /proc/2/environ", /Permission denied/, "two-uid"],
  ["read the agent's descriptors", "ls /proc/2/fd", /Permission denied/, "two-uid"],
  ["read the agent's memory", "head -c 1 /proc/2/mem", /Permission denied|cannot open/, "two-uid"],
  ["swap the egress socket", "ln -sf /tmp/x /run/bulkhead/egress.sock", /Permission denied|Read-only/, "any"],
  ["become root", "su -c id 2>&1 || setpriv --reuid 0 id", /not permitted|failure|unexpected/i, "any"],
];

describe("code in a sandbox cannot", () => {
  it.each(attempts)("%s", async (_name, script, refused, tier) => {
    if (tier === "two-uid" && launched.enforced.identity !== "two-uid") return;
    const { out } = await runInside(launched, script);
    expect(out).toMatch(refused);
  });

  it("see another sandbox's files or processes", async () => {
    const other = await platform.compute.launch(aRequest());
    await runInside(other, "echo secret >/workspace/mine; echo secret >/tmp/mine; sleep 30 >/dev/null 2>&1 &");
    const { out } = await runInside(launched, "ls -a /workspace /tmp; ps -e -o comm= || ls /proc");
    expect(out).not.toContain("mine");
    expect(out).not.toContain("sleep");
  });

  it("inherit a descriptor of the platform", async () => {
    const inside = "for f in /proc/2/fd/*; do readlink $f; done";
    const { out } = await runInside(launched, inside, "agent");
    const files = out.split("\n").filter((line) => line.startsWith("/") && line !== "/dev/null");
    expect(files).toEqual([]);
  });

  it("read host paths in the command line of its first process", async () => {
    const { out } = await runInside(launched, "tr '\\0' ' ' </proc/1/cmdline");
    expect(out).not.toContain(platform.runDir);
    expect(out).not.toContain(platform.dataDir);
  });

  it("be the host's root where the platform gives up root's id late", async () => {
    if (!platform.host.root) return;
    const late = await aPlatform({ host: { ...platform.host, dropsLate: true } });
    const instance = await late.compute.launch(aRequest());
    const { out } = await runInside(instance, "cat /proc/self/uid_map; grep -E 'Uid|Groups' /proc/1/status", "agent");
    expect(out).toMatch(/^\s+0 18790\d+\s+1\n\s+1000 18790\d+\s+1\nUid:\t0\t0\t0\t0\nGroups:\s*$/);
    expect((await runInside(instance, "echo x >/proc/sys/kernel/core_pattern")).out).toMatch(/Permission denied/);
    expect((await runInside(instance, "unshare -Ur true")).out).toMatch(/Operation not permitted/);
    await late.remove();
    expect(traces(late)).toEqual([]);
  });
});
