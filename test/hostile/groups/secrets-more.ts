import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

const hexOf = (text: string) => Buffer.from(text).toString("hex");

/** Pieces of what only the platform may hold; as hexadecimal, so that a search does not find its own program. */
function wanted({ platform, secretValue }: HostileWorld): readonly string[] {
  const pem = readFileSync(join(platform.home, "signing-key.pem"), "utf8").split("\n")[1] ?? "";
  return [platform.apiKey.slice(23, 39), pem.slice(0, 16), secretValue.slice(0, 16)].map(hexOf);
}

export const attempts = attemptsOf("secrets", [
  {
    tried: "platform's keys in the memory of all processes, with a planted text that must be found",
    must: "the planted text is found in a process of one's own, no key in any",
    async run(world) {
      const planted = `planted-${crypto.randomUUID()}`;
      const seen = await world.python(
        world.attacker,
        `
import os, re, signal, time
wanted = [bytes.fromhex(h) for h in ${JSON.stringify(wanted(world))}]
planted = bytes.fromhex('${hexOf(planted)}')
child = os.fork()
if child == 0:
    keep = bytes(planted) * 100; time.sleep(30); os._exit(len(keep) & 1)
time.sleep(0.3)
found, closed, opened, right = [], {}, [], False
for pid in sorted(int(p) for p in os.listdir('/proc') if p.isdigit()):
    if pid == os.getpid(): continue
    try:
        maps = open(f'/proc/{pid}/maps').read(); mem = open(f'/proc/{pid}/mem', 'rb', 0)
    except OSError as error:
        closed[pid] = error.errno; continue
    opened.append(pid)
    for m in re.finditer(r'^([0-9a-f]+)-([0-9a-f]+) r', maps, re.M):
        a, b = int(m[1], 16), int(m[2], 16)
        try: mem.seek(a); data = mem.read(min(b - a, 1 << 26))
        except (OSError, ValueError, OverflowError): continue
        if pid == child: right = right or planted in data
        elif any(w in data for w in wanted): found.append((pid, m[0]))
os.kill(child, 9)
print('planted', right, 'opened', len(opened), 'closed', sorted(set(closed.values())), len(closed), 'found', found)
`,
        40,
      );
      return judged(
        seen.includes("planted True") && seen.includes("found []") && /closed \[(1|13|1, 13)\] [1-9]/.test(seen),
        seen,
      );
    },
  },
  {
    tried: "every file of /proc of the agent's and supervisor's processes that says something of their contents",
    must: "each refused, and the attempt's own process opens the same",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import os
names = ['environ', 'mem', 'maps', 'smaps', 'auxv', 'stack', 'syscall', 'io', 'fd', 'fdinfo', 'map_files', 'cwd', 'exe', 'root', 'pagemap', 'personality', 'wchan', 'ns/mnt', 'task/%d/environ', 'task/%d/mem', 'task/%d/maps', 'timers', 'coredump_filter']
def reach(pid, name):
    p = f'/proc/{pid}/' + (name % pid if '%' in name else name)
    if name in ('cwd', 'exe', 'root', 'ns/mnt'): return os.readlink(p)
    return os.listdir(p) if os.path.isdir(p) else open(p, 'rb').read(64)
others = [int(p) for p in os.listdir('/proc') if p.isdigit() and os.stat(f'/proc/{p}').st_uid != os.getuid()]
own, got, refused = 0, set(), 0
for name in names:
    try: reach(os.getpid(), name); own += 1
    except OSError: pass
    for pid in others:
        try:
            if reach(pid, name) not in (b'0', b'', []): got.add(name)
        except OSError: refused += 1
print('others', len(others), 'own', own, 'refused', refused, 'got', sorted(got))
`,
      );
      const got = /got \[(.*)\]/.exec(seen)?.[1];
      return judged(
        got !== undefined &&
          !/environ|mem|maps|auxv|fd|cwd|exe|root|ns\/mnt|stack|syscall/.test(got) &&
          /others [1-9]/.test(seen) &&
          /own 1[5-9]|own 2/.test(seen),
        seen,
      );
    },
  },
  {
    tried: "a core dump of one's own, and where the kernel sends such",
    must: "none is written where it could hold or reach another's",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "cd /tmp && ulimit -c unlimited 2>&1; ulimit -c; (sleep 5 & p=$!; kill -SEGV $p; wait $p; echo exit $?) 2>&1 | tail -1; ls -d /tmp/core* /workspace/core* /var/crash/* /var/lib/systemd/coredump/* /var/lib/apport/coredump/* 2>/dev/null | head; cat /proc/sys/kernel/core_pattern",
      );
      return judged(/exit 139/.test(seen) && !/^\/(var|tmp|workspace)\/.*core/m.test(seen), seen);
    },
  },
  {
    tried: "what /sys, kernel lists and shared caches say of host, platform and other sandboxes",
    must: "no path, name or id of them, no kernel address",
    async run({ attacker, victim, platform, python }) {
      const marks = [platform.home, victim.sandboxId, platform.home.split("/").at(-1) ?? platform.home].map(hexOf);
      const seen = await python(
        attacker,
        `
import os
marks = [bytes.fromhex(h) for h in ${JSON.stringify(marks)}]
found, read = [], 0
files = ['/proc/' + n for n in ('mounts', 'self/mountinfo', 'self/cgroup', 'cmdline', 'kallsyms', 'modules', 'keys', 'key-users', 'timer_list', 'sched_debug', 'locks', 'net/unix', 'net/netlink', 'sysvipc/shm', 'swaps', 'partitions', 'diskstats', 'vmallocinfo', 'slabinfo', 'iomem', 'kcore', 'kmsg', 'sysrq-trigger', 'self/net/tcp', 'fs/ext4', 'driver')]
for top in ('/sys', '/var/cache', '/etc/ld.so.cache', '/run', '/var/log', '/opt/bulkhead'):
    if os.path.isfile(top): files.append(top)
    for d, _, names in os.walk(top):
        files += [os.path.join(d, n) for n in names]
        if len(files) > 20000: break
for p in files:
    try:
        with open(p, 'rb') as f: data = f.read(1 << 20)
    except OSError: continue
    read += 1
    if any(m in data for m in marks): found.append(p)
    if p.endswith('kallsyms') and any(l.split()[0].strip(b'0') for l in data.splitlines()[:50] if l): found.append('kallsyms addresses')
print('read', read, 'found', found[:10])
`,
        40,
      );
      return judged(seen.includes("found []") && /read \d{2,}/.test(seen), seen);
    },
  },
  {
    tried: "the API key's first and other characters guessed, empty, doubled, and the key of the demo",
    must: "401, where the right key is taken",
    async run({ platform }) {
      const { apiKey, url } = platform;
      const last = apiKey.endsWith("a") ? "b" : "a";
      const wrong = [
        "",
        " ",
        "hopx_live_",
        apiKey.slice(0, -1),
        apiKey.slice(0, -1) + last,
        `${apiKey}a`,
        apiKey.toUpperCase(),
        `${apiKey},${apiKey}`,
        "hopx_live_test.test",
        "undefined",
        "null",
        "[object Object]",
        "' OR '1'='1",
      ];
      const statuses = [];
      for (const key of wrong)
        statuses.push((await ask(url, "/v1/sandboxes", { headers: { "x-api-key": key } })).status);
      const right = (await ask(url, "/v1/sandboxes", { headers: { "x-api-key": apiKey } })).status;
      return judged(
        right === 200 && statuses.every((status) => status === 401),
        `${statuses.join(", ")}; the right one: ${right}`,
      );
    },
  },
]);
