import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";

export const attempts = attemptsOf("neighbours", [
  {
    tried: "shared memory, abstract sockets, SysV objects and ports that the victim has open",
    must: "the victim sees each of them, the attacker none",
    async run({ attacker, victim, shell, python }) {
      await shell(
        victim,
        `cat > /tmp/n.py <<'END'
import ctypes, os, socket, sys, time
open('/dev/shm/n-theirs', 'w').write('theirs')
a = socket.socket(socket.AF_UNIX); a.bind('\\0n-theirs'); a.listen()
f = socket.socket(socket.AF_UNIX)
try: os.unlink('/tmp/n-theirs.sock')
except OSError: pass
f.bind('/tmp/n-theirs.sock'); f.listen()
t = socket.socket(); t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); t.bind(('0.0.0.0', 8097)); t.listen()
libc = ctypes.CDLL(None); libc.shmget(0x4e31, 4096, 0o1666); libc.msgget(0x4e31, 0o1666); libc.semget(0x4e31, 1, 0o1666)
time.sleep(60)
END
(setsid python3 /tmp/n.py >/dev/null 2>&1 &) ; sleep 1`,
      );
      const look = `
import ctypes, os, socket
seen = []
if os.path.exists('/dev/shm/n-theirs'): seen.append('shm')
for name, family, address in (('abstract', socket.AF_UNIX, '\\0n-theirs'), ('file', socket.AF_UNIX, '/tmp/n-theirs.sock'), ('port', socket.AF_INET, ('127.0.0.1', 8097))):
    s = socket.socket(family); s.settimeout(2)
    try: s.connect(address); seen.append(name)
    except OSError: pass
libc = ctypes.CDLL(None)
for name, got in (('sysv-shm', libc.shmget(0x4e31, 4096, 0)), ('sysv-msg', libc.msgget(0x4e31, 0)), ('sysv-sem', libc.semget(0x4e31, 1, 0))):
    if got >= 0: seen.append(name)
print(' '.join(seen))
`;
      const theirs = (await python(victim, look)).trim();
      const own = (await python(attacker, look)).trim();
      return judged(
        own === "" && ["shm", "abstract", "file", "port"].every((name) => theirs.includes(name)),
        `the victim sees ${theirs}; the attacker ${own || "nothing"}`,
      );
    },
  },
  {
    tried: "other sandboxes through the platform's API with a sandbox's token: list, read, kill, refresh, create",
    must: "401 or 403; the victim lives on",
    async run({ platform, attacker, victim }) {
      const token = await attacker.getToken();
      const id = victim.sandboxId;
      const asked = [
        ["GET", "/v1/sandboxes"],
        ["GET", `/v1/sandboxes/${id}`],
        ["DELETE", `/v1/sandboxes/${id}`],
        ["POST", `/v1/sandboxes/${id}/token/refresh`],
        ["POST", `/v1/sandboxes/${id}/pause`],
        ["PUT", `/v1/sandboxes/${id}/timeout`],
        ["POST", "/v1/sandboxes"],
        ["GET", `/v1/sandboxes/${attacker.sandboxId}`],
        ["GET", "/v1/secrets"],
        ["GET", "/v1/keys"],
      ] as const;
      const statuses: number[] = [];
      let leaked = 0;
      for (const [method, path] of asked) {
        for (const headers of [{ authorization: `Bearer ${token}` }, { "x-api-key": token }]) {
          const answer = await ask(platform.url, path, {
            method,
            headers: { ...headers, "content-type": "application/json" },
            ...(method !== "GET" && { body: '{"template_name":"base","timeout_seconds":60}' }),
          });
          statuses.push(answer.status);
          if (answer.text.includes("auth_token") || answer.text.includes(id)) leaked += 1;
        }
      }
      const right = await ask(platform.url, `/v1/sandboxes/${id}`, { headers: { "x-api-key": platform.apiKey } });
      return judged(
        statuses.every((status) => [401, 403, 404].includes(status)) &&
          leaked === 0 &&
          right.text.includes('"running"'),
        `API: ${[...new Set(statuses)].join(", ")} in ${statuses.length} requests; the victim: ${/"status":"\w+"/.exec(right.text)?.[0] ?? "?"}`,
      );
    },
  },
  {
    tried: "ids guessed from one's own and the victim's, in every address of the gateway",
    must: "an id that exists is answered as one that does not",
    async run({ attacker, victim }) {
      const { origin } = new URL((await attacker.getInfo()).publicHost);
      const headers = { authorization: `Bearer ${await attacker.getToken()}` };
      const next = (id: string) => id.slice(0, -1) + (id.endsWith("0") ? "1" : "0");
      const ids = [victim.sandboxId, next(victim.sandboxId), next(attacker.sandboxId)];
      const seen = [];
      for (const id of ids) {
        const answers = [];
        for (const path of [`/s/${id}/info`, `/p/${id}/8097/`, `/p/${id}/7777/info`]) {
          const { status, text } = await ask(origin, path, { headers });
          answers.push(`${status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? "?"}`);
        }
        seen.push(answers.join(" / "));
      }
      return judged(new Set(seen).size === 1 && !seen.join().includes("200"), [...new Set(seen)].join(" AGAINST "));
    },
  },
]);
