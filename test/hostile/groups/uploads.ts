import { ask } from "#test/e2e/support/http.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

const boundary = "hostile-boundary";
const type = `multipart/form-data; boundary=${boundary}`;
const field = (name: string, value: string) =>
  `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (filename: string, content = "x") =>
  `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${filename}"\r\n\r\n${content}\r\n`;
const end = `--${boundary}--\r\n`;

async function upload({ attacker }: HostileWorld, body: string, contentType = type) {
  const { origin, pathname } = new URL((await attacker.getInfo()).publicHost);
  const headers = { authorization: `Bearer ${await attacker.getToken()}`, "content-type": contentType };
  return ask(origin, `${pathname.replace(/\/$/, "")}/files/upload`, {
    method: "POST",
    headers,
    body,
    timeoutMs: 10_000,
  });
}

/** Everything a sandbox's user could have been given outside of the roots, and temporary files that an upload left in them. */
const look =
  "find / -xdev \\( -name 'up-evil*' -o -name '*.part' -o -name '.bulkhead*' -o -name '.upload*' \\) -not -path '/proc/*' 2>/dev/null | grep -v '^/opt/bulkhead'; find /workspace /tmp -name 'up-evil*' 2>/dev/null; true";

export const attempts = attemptsOf("archives", [
  {
    tried: "multipart file names with dots, slashes, backslashes, NUL, and 5000 characters, without a path field",
    must: "refused, or kept in the first root under the name's last part",
    async run(world) {
      const right = await upload(world, file("up-fine.txt", "fine") + end);
      const names = [
        "../../etc/up-evil1",
        "/etc/up-evil2",
        "..\\..\\up-evil3",
        "up-evil4\u0000.txt",
        `${"../".repeat(500)}up-evil5`,
        `up-evil6${"a".repeat(5000)}`,
        "..",
        ".",
        "/",
        "up-evil7/",
      ];
      const statuses: number[] = [];
      for (const name of names) statuses.push((await upload(world, file(name) + end)).status);
      const found = (await world.shell(world.attacker, look)).split("\n").filter(Boolean);
      const out = found.filter((path) => !path.startsWith("/workspace/"));
      await world.shell(world.attacker, "cd /workspace && rm -f up-* ..*up-evil*");
      return judged(
        right.status === 200 && out.length === 0 && statuses.every((status) => status < 500),
        `${statuses.join(", ")}; made: ${[...new Set(found)].join(" ").slice(0, 200)}`,
      );
    },
  },
  {
    tried: "path fields that lead out, doubled, after the file, with NUL or too long",
    must: "refused; of two the decided one is checked",
    async run(world) {
      const bodies = [
        field("path", "/etc/up-evil1") + file("a") + end,
        file("a") + field("path", "/etc/up-evil2") + end,
        field("path", "/workspace/up-evil3") + file("a") + field("path", "/etc/up-evil3") + end,
        field("path", "/workspace/../etc/up-evil4") + file("a") + end,
        field("path", "/workspace/up-evil5\u0000/../../etc/x") + file("a") + end,
        field("path", `/workspace/${"d/".repeat(4000)}up-evil6`) + file("a") + end,
        field("path", `/workspace/up-evil7${"n".repeat(300)}`) + file("a") + end,
        field("path", "/opt/bulkhead/up-evil8") + file("a") + end,
        field("path", "/workspace") + file("a") + end,
      ];
      const statuses: number[] = [];
      for (const body of bodies) statuses.push((await upload(world, body)).status);
      const found = await world.shell(world.attacker, look);
      return judged(
        statuses.every((status) => status >= 400 && status < 500) && found.trim() === "",
        `${statuses.join(", ")}; made: ${found.trim() || "nothing"}`,
      );
    },
  },
  {
    tried: "forms that are cut off, have no end, 2 files, 200 fields, 1 MB of part headers, no boundary",
    must: "refused, and no half file is left",
    async run(world) {
      const before = await world.shell(world.attacker, "find /workspace /tmp | sort | md5sum");
      const bodies: [string, string?][] = [
        [file("up-evil1", "half")],
        [`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="up-evil2"\r\n\r\nno end`],
        [file("up-evil3") + file("up-evil3b") + end],
        [Array.from({ length: 200 }, (_, index) => field(`f${index}`, "x")).join("") + file("up-evil4") + end],
        [`--${boundary}\r\nX: ${"h".repeat(1 << 20)}\r\n\r\nx\r\n${end}`],
        [file("up-evil6") + end, "multipart/form-data"],
        [file("up-evil7") + end, "text/plain"],
        ["", type],
      ];
      const statuses: number[] = [];
      for (const [body, contentType] of bodies) statuses.push((await upload(world, body, contentType)).status);
      const after = await world.shell(world.attacker, "find /workspace /tmp | sort | md5sum");
      return judged(
        statuses.every((status) => status >= 400 && status < 500) && before === after,
        `${statuses.join(", ")}; roots ${before === after ? "as before" : "CHANGED"}`,
      );
    },
  },
  {
    tried: "a directory swapped for a link to /dev/shm while files are uploaded into it",
    must: "none lands there, though all may write there; the right ones land inside",
    async run(world) {
      const { attacker, shell, python } = world;
      // Made before the first upload: one that comes earlier would make the directory itself.
      await shell(
        attacker,
        "rm -rf /workspace/race /dev/shm/race; mkdir -p /workspace/race/real; mkdir -m 777 /dev/shm/race; ln -s /dev/shm/race /workspace/race/link",
      );
      const swapping = python(
        attacker,
        `
import ctypes, time
base = '/workspace/race'
a, b = ctypes.c_char_p((base + '/real').encode()), ctypes.c_char_p((base + '/link').encode())
libc = ctypes.CDLL(None); end = time.monotonic() + 4; count = 0
while time.monotonic() < end: libc.renameat2(-100, a, -100, b, 2); count += 1
print('swaps', count)
`,
      );
      const state = { done: false, tried: 0, taken: 0 };
      const finished = swapping.then((text) => {
        state.done = true;
        return text;
      });
      while (!state.done) {
        const body = field("path", `/workspace/race/real/up-race${state.tried}`) + file("a") + end;
        const { status } = await upload(world, body);
        state.tried += 1;
        if (status === 200) state.taken += 1;
      }
      const swaps = Number(/swaps (\d+)/.exec(await finished)?.[1] ?? "0");
      const out = await shell(
        attacker,
        "find /dev/shm/race -type f | wc -l; find /workspace/race/ -name 'up-race*' | wc -l; touch /dev/shm/race/x && echo writable; rm -rf /workspace/race /dev/shm/race",
      );
      const [outside = -1, inside = -1] = out.trim().split("\n").map(Number);
      return judged(
        outside === 0 && inside === state.taken && state.taken > 0 && swaps > 1000 && out.includes("writable"),
        `${swaps} swaps, ${state.tried} uploads, ${state.taken} taken, ${inside} inside, ${outside} outside`,
      );
    },
  },
  {
    tried: "archives with links, devices and setuid programs, unpacked by tar and read through the file API",
    must: "devices are refused, links not followed, bits without effect; a plain file of it is read",
    async run(world) {
      const { attacker, python } = world;
      const seen = await python(
        attacker,
        `
import io, os, shutil, subprocess, tarfile
shutil.rmtree('/workspace/un2', ignore_errors=True); os.makedirs('/workspace/un2')
with tarfile.open('/workspace/un2.tar', 'w') as t:
    def add(name, kind, link='', **more):
        i = tarfile.TarInfo(name); i.type = kind; i.linkname = link
        for k, v in more.items(): setattr(i, k, v)
        t.addfile(i, io.BytesIO(b'plain') if i.size else None)
    add('plain', tarfile.REGTYPE, size=5)
    add('dir', tarfile.SYMTYPE, '/etc'); add('abs', tarfile.SYMTYPE, '/etc/passwd'); add('rel', tarfile.SYMTYPE, '../../etc/passwd')
    add('chain', tarfile.SYMTYPE, 'rel'); add('proc', tarfile.SYMTYPE, '/proc/self/environ')
    add('disk', tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o666); add('mem', tarfile.CHRTYPE, devmajor=1, devminor=1, mode=0o666)
    add('suid', tarfile.REGTYPE, mode=0o6755, size=5, uid=0, gid=0)
r = subprocess.run(['tar', 'xpf', '../un2.tar'], cwd='/workspace/un2', capture_output=True, text=True)
print(sorted(os.listdir('/workspace/un2')), r.stderr.count('Cannot mknod'), os.stat('/workspace/un2/suid').st_uid)
`,
      );
      const plain = await attacker.files.read("/workspace/un2/plain");
      const reached: string[] = [];
      for (const name of ["dir/passwd", "abs", "rel", "chain", "proc"]) {
        const text = await attacker.files.read(`/workspace/un2/${name}`).catch(() => undefined);
        if (text !== undefined) reached.push(name);
      }
      return judged(
        plain === "plain" && reached.length === 0 && /\] 2 1000/.test(seen) && seen.includes("'chain'"),
        `reached ${reached.join(" ") || "nothing"} of 5 links; plain file read; ${seen}`,
      );
    },
  },
  {
    tried: "a zip with names that lead out (zip slip), unpacked by unzip's rules in Python and by hand",
    must: "names are cut to the directory; by hand the base is read-only",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import io, os, shutil, zipfile
b = io.BytesIO(); names = ['../../etc/zip-evil', '/etc/zip-evil', '../../opt/bulkhead/zip-evil', '../../../usr/bin/zip-evil', 'fine']
with zipfile.ZipFile(b, 'w') as z:
    for n in names: z.writestr(n, 'x')
z = zipfile.ZipFile(b); errors = []
z.extractall('/workspace/unzipped')
for n in z.namelist():
    try:
        p = os.path.join('/workspace/byhand', n); os.makedirs('/workspace/byhand', exist_ok=True); open(p, 'wb').write(z.read(n))
    except OSError as error: errors.append(type(error).__name__ + str(error.errno))
out = [p for p in ('/etc/zip-evil', '/opt/bulkhead/zip-evil', '/usr/bin/zip-evil') if os.path.exists(p)]
print('fine', os.path.exists('/workspace/unzipped/fine') and os.path.exists('/workspace/byhand/fine'), 'by hand', errors, 'out', out)
shutil.rmtree('/workspace/unzipped'); shutil.rmtree('/workspace/byhand')
`,
      );
      return judged(
        seen.includes("fine True") && seen.includes("out []") && (seen.match(/OSError30/g) ?? []).length === 4,
        seen,
      );
    },
  },
]);
