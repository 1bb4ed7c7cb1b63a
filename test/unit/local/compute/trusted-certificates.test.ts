import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { runCommand } from "#local/compute/run-command.ts";
import { trustAuthority } from "#local/compute/trusted-certificates.ts";

let root: string;
let host: string;
let etc: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bulkhead-etc-"));
  host = join(root, "host");
  etc = join(root, "run/etc");
  mkdirSync(host);
  mkdirSync(etc, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  writeFileSync(path, text, { mode: 0o444 });
}

async function trusted(): Promise<string> {
  const { certificatePem } = await makeAuthority({ deployment: "test", clock: systemClock });
  await trustAuthority(etc, certificatePem, runCommand, host);
  return certificatePem.trim();
}

const bundle = () => readFileSync(join(etc, "ssl/certs/ca-certificates.crt"), "utf8");

describe("trustAuthority", () => {
  it("adds to Debian's bundle and directory, which OpenSSL then finds it in", async () => {
    write(join(host, "ssl/certs/ca-certificates.crt"), "before");
    write(join(etc, "ssl/certs/ca-certificates.crt"), "before");
    const pem = await trusted();
    expect(bundle()).toBe(`before\n${pem}\n`);
    const own = join(etc, "ssl/certs/bulkhead-egress.pem");
    expect(readFileSync(own, "utf8")).toBe(`${pem}\n`);
    const verify = ["verify", "-no-CAfile", "-CApath", join(etc, "ssl/certs"), own];
    expect(execFileSync("openssl", verify, { encoding: "utf8" })).toContain(": OK");
  });

  it("adds to Fedora's bundles behind its links, which nobody may write", async () => {
    for (const at of [host, etc]) {
      write(join(at, "pki/tls/certs/ca-bundle.crt"), "known\n");
      write(join(at, "pki/ca-trust/extracted/pem/tls-ca-bundle.pem"), "known\n");
      mkdirSync(join(at, "ssl"));
      symlinkSync("../pki/tls/certs", join(at, "ssl/certs"));
    }
    const pem = await trusted();
    expect(bundle()).toBe(`known\n${pem}\n`);
    for (const name of ["pki/tls/certs/ca-bundle.crt", "pki/ca-trust/extracted/pem/tls-ca-bundle.pem"]) {
      expect(readFileSync(join(etc, name), "utf8")).toBe(`known\n${pem}\n`);
    }
    expect(readFileSync(join(host, "pki/tls/certs/ca-bundle.crt"), "utf8")).toBe("known\n");
  });

  it("never writes through a link that leads out of the directory", async () => {
    const outside = join(root, "outside");
    mkdirSync(outside);
    mkdirSync(join(etc, "ssl"));
    symlinkSync("../../../outside", join(etc, "ssl/certs"));
    const pem = await trusted();
    expect(existsSync(join(outside, "bulkhead-egress.pem"))).toBe(false);
    expect(lstatSync(join(etc, "ssl/certs")).isDirectory()).toBe(true);
    expect(bundle()).toBe(`${pem}\n`);
  });

  it("takes a bundle that is a link (Arch) and leaves a file", async () => {
    write(join(host, "extracted.pem"), "known\n");
    mkdirSync(join(host, "ssl/certs"), { recursive: true });
    symlinkSync("../../extracted.pem", join(host, "ssl/certs/ca-certificates.crt"));
    mkdirSync(join(etc, "ssl/certs"), { recursive: true });
    symlinkSync("../../extracted.pem", join(etc, "ssl/certs/ca-certificates.crt"));
    const pem = await trusted();
    expect(lstatSync(join(etc, "ssl/certs/ca-certificates.crt")).isFile()).toBe(true);
    expect(bundle()).toBe(`known\n${pem}\n`);
  });
});
