import { attemptsOf, judged } from "../attempt.ts";

/** Makes an archive in Python, unpacks it as a careless program would, and looks through the file API at what came of it. */
export const attempts = attemptsOf("archives", [
  {
    tried: "a tar with a link out of its directory, then read through the file API",
    must: "the agent does not follow it",
    async run({ attacker, python }) {
      await python(
        attacker,
        `
import io, os, tarfile
os.makedirs('/workspace/un', exist_ok=True)
t = tarfile.open('/workspace/evil.tar', 'w')
l = tarfile.TarInfo('out'); l.type = tarfile.SYMTYPE; l.linkname = '/etc'; t.addfile(l)
h = tarfile.TarInfo('hard'); h.type = tarfile.LNKTYPE; h.linkname = '/etc/passwd'; t.addfile(h)
t.close()
os.system('cd /workspace/un && tar xf ../evil.tar 2>/dev/null; ln -sfn /etc out')
`,
      );
      const read = await attacker.files.read("/workspace/un/out/passwd").catch((error: unknown) => String(error));
      const hard = await attacker.files.read("/workspace/un/hard").catch((error: unknown) => String(error));
      return judged(!/root:x:0/.test(read + hard), read);
    },
  },
  {
    tried: "absolute names and dots in a tar and in paths (zip slip), unpacked inside",
    must: "whatever is unpacked stays in the sandbox; the base is read-only",
    async run({ attacker, python }) {
      const seen = await python(
        attacker,
        `
import io, os, tarfile, zipfile
for name in ('/etc/evil', '../../../etc/evil', '/opt/bulkhead/bin/evil', '/usr/bin/evil'):
    for kind in ('tar', 'zip'):
        try:
            if kind == 'tar':
                b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w'); i = tarfile.TarInfo(name); i.size = 1; t.addfile(i, io.BytesIO(b'x')); t.close(); b.seek(0)
                tarfile.open(fileobj=b).extractall('/workspace/slip')
            else:
                path = os.path.join('/workspace/slip', name); open(path if not name.startswith('/') else name, 'w')
        except OSError as error: print(error)
print('WROTE' if any(os.path.exists(p) for p in ('/etc/evil', '/opt/bulkhead/bin/evil', '/usr/bin/evil')) else 'nothing written')
`,
      );
      return judged(seen.includes("nothing written"), seen);
    },
  },
  {
    tried: "a bomb: 2 GB of zeros from two megabytes of zip",
    must: "the disk's size holds",
    async run({ create, python, limits }) {
      const sandbox = await create();
      const seen = await python(
        sandbox,
        `
import os, zlib
c = zlib.compressobj(9); z = b''.join([c.compress(bytes(1 << 20)) for _ in range(2048)] + [c.flush()])
d = zlib.decompressobj(); n = 0
try:
    with open('/workspace/bomb', 'wb') as f:
        while z:
            out = d.decompress(z, 1 << 20); z = d.unconsumed_tail; n += len(out); f.write(out)
except OSError as error: print(error)
print(n >> 20, 'MB')
`,
        100,
      );
      await sandbox.kill();
      const wrote = Number(/(\d+) MB/.exec(seen)?.[1] ?? "0");
      return judged(/No space left|quota/i.test(seen) && wrote <= limits.diskMb, `${seen} of ${limits.diskMb} MB disk`);
    },
  },
]);
