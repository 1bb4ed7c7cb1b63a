import { attack } from "#test/e2e/support/attacks.ts";
import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";

const attacks = [
  ["read the agent's environment, memory, files", "read_agent"],
  ["kill the agent", "kill_agent"],
  ["ptrace the agent, read its memory, take its sockets", "ptrace_agent"],
  ["replace a socket of the platform by a link", "socket_swap"],
] as const;

const spellings = (base: string) =>
  [
    "/_bulkhead/state",
    "/_bulkhead/activate",
    "//_bulkhead/state",
    "/%5Fbulkhead/state",
    "/%5fbulkhead%2fstate",
    "/./_bulkhead/state",
    "/files/../_bulkhead/state",
    "/files/%2e%2e/_bulkhead/state",
    "/_BULKHEAD/state",
    "/_bulkhead\\state",
  ].flatMap((path) => [base + path, path]);

export const attempts = [
  ...attemptsOf(
    "agent",
    attacks.map(([tried, name]) => ({
      tried,
      must: "another user's process",
      run: ({ attacker }) => attack(attacker, name),
    })),
  ),
  ...attemptsOf("agent", [
    {
      tried: "control routes of the agent (/_bulkhead/) through the gateway, in every spelling",
      must: "refused",
      async run({ attacker }) {
        const { origin, pathname } = new URL((await attacker.getInfo()).publicHost);
        const authorization = `Bearer ${await attacker.getToken()}`;
        const reached: string[] = [];
        const statuses = new Set<number>();
        for (const path of spellings(pathname.replace(/\/$/, ""))) {
          for (const method of ["GET", "POST"]) {
            const body = method === "POST" ? { body: "{}" } : {};
            const answer = await ask(origin, path, { method, headers: { authorization }, ...body });
            statuses.add(answer.status);
            if (answer.status < 400 || /last_activity_at|"state"/.test(answer.text)) reached.push(`${method} ${path}`);
          }
        }
        return judged(reached.length === 0, reached.join(", ") || `gateway: ${[...statuses].sort().join(", ")}`);
      },
    },
    {
      tried: "descriptors of the platform's database, log and sockets, inherited by user code",
      must: "none is open",
      async run({ attacker, shell }) {
        const seen = await shell(attacker, "for fd in /proc/self/fd/*; do readlink $fd; done");
        const host = seen
          .split("\n")
          .filter((target) => target.startsWith("/") && !/^\/(dev\/null|proc\/)/.test(target));
        return judged(
          seen.includes("/dev/null") && host.length === 0,
          `open: ${[...new Set(seen.trim().split("\n"))].join(" ")}`,
        );
      },
    },
    {
      tried: "ask the agent for more time from inside",
      must: "it listens on no port or socket that user code reaches",
      async run({ attacker, python }) {
        const seen = await python(
          attacker,
          `
import socket, glob
found = []
for port in list(range(1, 1024)) + [3000, 5000, 7000, 7777, 7778, 8000, 8080, 8081, 9000]:
    s = socket.socket(); s.settimeout(0.2)
    try:
        s.connect(('127.0.0.1', port)); found.append(port)
    except OSError: pass
    s.close()
print('open ports', found, [p for p in glob.glob('/run/**/*.sock', recursive=True)])
`,
        );
        return judged(seen.includes("open ports [] []"), seen);
      },
    },
  ]),
];
