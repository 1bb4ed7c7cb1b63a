import { X509Certificate } from "node:crypto";
import { chmod, mkdtemp, rm, stat, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCertificates } from "#egress/certificates/certificates.ts";
import { loadOrMakeAuthority } from "#local/egress-authority.ts";

let dir: string;
const clock = { now: () => Date.now() };
const files = () => ({ keyFile: join(dir, "ca-key.pem"), certificateFile: join(dir, "ca.pem"), clock });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "egress-authority-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe("this machine's egress CA", () => {
  it("is made once, with a key that only its owner can read", async () => {
    const authority = loadOrMakeAuthority(files());
    expect(new X509Certificate(authority.certificatePem).subject).toBe("CN=Bulkhead egress CA local");
    expect((await stat(files().keyFile)).mode & 0o777).toBe(0o600);
    expect(loadOrMakeAuthority(files())).toEqual(authority);
    expect(makeCertificates({ authority, clock }).caPem).toBe(authority.certificatePem);
  });

  it("keeps its key when the certificate is lost", async () => {
    const before = loadOrMakeAuthority(files());
    await unlink(files().certificateFile);
    const after = loadOrMakeAuthority(files());
    expect(after.keyPem).toBe(before.keyPem);
    expect(after.certificatePem).not.toBe(before.certificatePem);
  });

  it("is refused when others may read its key, or when the files do not belong together", async () => {
    loadOrMakeAuthority(files());
    await chmod(files().keyFile, 0o644);
    expect(() => loadOrMakeAuthority(files())).toThrow("chmod 600");
    await unlink(files().keyFile);
    expect(() => loadOrMakeAuthority(files())).toThrow(/ca\.pem is not the certificate of .*ca-key\.pem/);
  });
});
