import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

const escapes = /root:[x*]:0:0/;

/** One request of the file API as written, without a client that would refuse it first. */
async function api({ attacker }: HostileWorld, method: string, path: string, body?: unknown) {
  const { origin, pathname } = new URL((await attacker.getInfo()).publicHost);
  return ask(origin, pathname.replace(/\/$/, "") + path, {
    method,
    headers: { authorization: `Bearer ${await attacker.getToken()}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    timeoutMs: 10_000,
  });
}

export const attempts = attemptsOf("files", [
  {
    tried: "the host by /proc/*/root and cwd, in a shell and by links through the file API",
    must: "one's own root is the sandbox's; the agent's is closed; the file API follows neither",
    async run(world) {
      const { attacker, platform, shell } = world;
      const seen = await shell(
        attacker,
        `cd /workspace; for p in self 1 2 $PPID; do ls /proc/$p/root${platform.home} /proc/$p/cwd/../../../..${platform.home} 2>&1 | head -2; done; [ -e /proc/self/root/opt/bulkhead ] && echo own-root; for l in /proc/self/root /proc/1/root /proc/1/cwd; do ln -sfn $l $(echo $l | tr / _); done`,
      );
      const reached: string[] = [];
      for (const link of ["_proc_self_root", "_proc_1_root", "_proc_1_cwd"]) {
        for (const rest of ["etc/passwd", "proc/self/environ"]) {
          const { status, text } = await api(world, "GET", `/files/read?path=/workspace/${link}/${rest}`);
          if (status < 400 || escapes.test(text)) reached.push(`${link}/${rest}`);
        }
      }
      await shell(attacker, "cd /workspace && rm -f _proc_*");
      const opened = seen.includes("api-key") || seen.includes("signing-key");
      return judged(
        !opened && seen.includes("own-root") && reached.length === 0,
        reached.join(", ") || `file API: none of 6; shell: ${seen}`,
      );
    },
  },
  {
    tried: "every block device, and the disk its own files lie on",
    must: "no device node is there to open or to make",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import os, stat
found, tried = [], 0
for top in ('/dev', '/proc/self/root/dev', '/tmp', '/run', '/sys/block', '/sys/dev/block'):
    for d, ds, fs in os.walk(top):
        for n in ds + fs:
            try: st = os.lstat(os.path.join(d, n))
            except OSError: continue
            tried += 1
            if stat.S_ISBLK(st.st_mode): found.append(os.path.join(d, n))
for d, ds, fs in os.walk('/dev'):
    for n in fs:
        p = os.path.join(d, n); st = os.lstat(p)
        if stat.S_ISCHR(st.st_mode) and not os.major(st.st_rdev) in (1, 5, 136): found.append(p)
        if stat.S_ISCHR(st.st_mode) and os.major(st.st_rdev) == 1 and os.minor(st.st_rdev) not in (3, 5, 7, 8, 9): found.append(p)
dev = os.stat('/workspace').st_dev
try: os.mknod('/workspace/disk', 0o600 | stat.S_IFBLK, dev); found.append('made')
except OSError as error: print('mknod', os.major(dev), os.minor(dev), error)
print('looked at', tried, 'found', found)
`,
      );
      return judged(seen.includes("found []") && /looked at \d{2,}/.test(seen) && /mknod .*Errno 1\]/.test(seen), seen);
    },
  },
  {
    tried: "what earlier files left, read from holes, grown files and fallocated space",
    must: "zeros",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import os
for _ in range(3):
    with open('/workspace/gone', 'wb') as f: f.write(b'LEFTOVER' * (4 << 20)); f.flush(); os.fsync(f.fileno())
    os.unlink('/workspace/gone')
bad = 0; read = 0
for how in ('hole', 'grown', 'fallocate'):
    p = '/workspace/' + how
    fd = os.open(p, os.O_RDWR | os.O_CREAT)
    if how == 'hole': os.pwrite(fd, b'x', 64 << 20)
    if how == 'grown': os.ftruncate(fd, 64 << 20)
    if how == 'fallocate': os.posix_fallocate(fd, 0, 64 << 20)
    for at in range(0, 64 << 20, 1 << 20):
        data = os.pread(fd, 1 << 20, at); read += len(data); bad += len(data) - data.count(0)
    os.close(fd); os.unlink(p)
print('read', read >> 20, 'MB, not zero:', bad)
`,
      );
      return judged(/read 192 MB, not zero: 0\b/.test(seen), seen);
    },
  },
  {
    tried: "setuid and setgid bits by the file API, by chmod and by a copy of su",
    must: "the bits are dropped, or give nothing",
    async run(world) {
      const { attacker, shell } = world;
      const made = [];
      for (const mode of ["4755", "6777", "0o4755", "2755"])
        made.push(
          (
            await api(world, "POST", "/files/write", {
              path: `/workspace/s${mode}`,
              content: "#!/bin/sh\nid -u\n",
              mode,
            })
          ).status,
        );
      const seen = await shell(
        attacker,
        "cd /workspace; find . -maxdepth 1 -name 's[0-9]*' -perm /6000 | sed 's/^/BIT /'; cp /usr/bin/id sid; chmod 6755 sid; stat -c %a sid; ./sid -u; ./sid -u -r; for p in $(find / -xdev -perm /6000 -type f 2>/dev/null | head -20); do stat -c '%u %n' $p; done | wc -l; su -c id 2>&1 | head -1; rm -f s*",
        20,
      );
      return judged(
        !seen.includes("BIT ") && !/^0$/m.test(seen.split("\n").slice(0, 3).join("\n")) && !/uid=0/.test(seen),
        `written ${made.join(", ")}; ${seen}`,
      );
    },
  },
  {
    tried: "the file API on a FIFO, a socket, a directory and /dev/zero by a link",
    must: "refused at once; the agent does not hang",
    async run(world) {
      await world.shell(
        world.attacker,
        "cd /workspace && rm -rf odd && mkdir odd && cd odd && mkfifo fifo && ln -s /dev/zero zero && ln -s /proc/kmsg kmsg && python3 -c \"import socket; socket.socket(1).bind('sock')\" && ls | wc -l",
      );
      const began = Date.now();
      const seen = [];
      for (const name of ["fifo", "zero", "kmsg", "sock", "."])
        for (const route of ["read", "download"])
          seen.push((await api(world, "GET", `/files/${route}?path=/workspace/odd/${name}`)).status);
      for (const name of ["fifo", "sock"])
        seen.push((await api(world, "POST", "/files/write", { path: `/workspace/odd/${name}`, content: "x" })).status);
      const took = Date.now() - began;
      const read = seen.slice(0, 10);
      await world.shell(world.attacker, "rm -rf /workspace/odd");
      return judged(
        read.every((status) => status >= 400 && status < 500) && took < 8000,
        `${seen.join(", ")} in ${took} ms`,
      );
    },
  },
  {
    tried: "remove, make and list outside of the roots by the file API, the roots themselves too",
    must: "refused; all is still there",
    async run(world) {
      const statuses: number[] = [];
      const paths = [
        "/",
        "/etc",
        "/opt/bulkhead",
        "/workspace/..",
        "/workspace/../etc/passwd",
        "/tmp/../workspace/../usr",
        "/workspace",
        "/tmp",
        "",
        ".",
        "\u0000/workspace",
        "/workspace/\u0000/../../etc",
      ];
      for (const path of paths) {
        const query = encodeURIComponent(path);
        statuses.push((await api(world, "DELETE", `/files/remove?path=${query}`)).status);
      }
      for (const path of paths.slice(0, 6))
        statuses.push(
          (await api(world, "POST", "/files/mkdir", { path: `${path}/made` })).status,
          (await api(world, "GET", `/files/list?path=${encodeURIComponent(path)}`)).status,
        );
      const left = await world.shell(
        world.attacker,
        "[ -e /etc/passwd ] && [ -d /opt/bulkhead ] && [ -d /usr/bin ] && [ -d /tmp ] && [ -d /workspace ] && echo all-there; ls -d /made /etc/made /usr/made /opt/bulkhead/made 2>/dev/null",
      );
      return judged(
        left.trim() === "all-there" && statuses.every((status) => status >= 400 && status < 500),
        `${left.trim()}; ${[...new Set(statuses)].join(", ")}`,
      );
    },
  },
]);
