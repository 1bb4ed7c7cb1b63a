import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type PeerCertificate, type SecureContext } from "node:tls";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";
import { makeLeafs } from "#egress/certificates/leafs.ts";

const run = promisify(execFile);
const day = 86_400_000;
let now = Date.now();
const clock = { now: () => now };
const authority = await makeAuthority({ deployment: "test", clock });
const host = "api.example.com";

let dir: string;
let server: Server;
let port: number;
const certificates = makeCertificates({ authority, clock });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "egress-ca-"));
  await writeFile(join(dir, "ca.pem"), authority.certificatePem);
  server = createServer(
    {
      SNICallback: (name, done) => void certificates.contextFor(name).then((context) => done(null, context), done),
      ...(await contextOptions("127.0.0.1")),
    },
    (_req, res) => res.end("hello"),
  );
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  port = (server.address() as AddressInfo).port;
});

afterAll(async () => {
  server.close();
  await rm(dir, { recursive: true, force: true });
});

/** What a server shows to clients that name no host. */
async function contextOptions(name: string) {
  const leafs = makeLeafs(authority, now);
  return { key: leafs.keyPem, cert: leafs.issue(name, now) };
}

/** The certificate that a client which trusts only our CA accepts for this name. */
function accepted(name: string, options: { at?: number; minVersion?: "TLSv1.3"; maxVersion?: "TLSv1.1" } = {}) {
  return new Promise<PeerCertificate>((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername: name, ca: authority.certificatePem, ...options });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
  });
}

describe("the deployment's CA", () => {
  it("is a CA that signs leafs only, for ten years", async () => {
    const certificate = new X509Certificate(authority.certificatePem);
    expect(certificate.subject).toBe("CN=Bulkhead egress CA test");
    expect(certificate.ca).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(now);
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(now + 3_650 * day);
    const { stdout } = await run("openssl", ["x509", "-in", join(dir, "ca.pem"), "-noout", "-text"]);
    expect(stdout).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(stdout).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(stdout).toMatch(/Subject Key Identifier/);
    expect(stdout).toMatch(/NIST CURVE: P-256/);
  });

  it("is readable when it lasts beyond 2049, where dates are written otherwise", async () => {
    const later = { now: () => Date.UTC(2045, 0, 15) };
    const one = await makeAuthority({ deployment: "later", clock: later });
    expect(new X509Certificate(one.certificatePem).validTo).toMatch(/2055 GMT$/);
    const leaf = new X509Certificate(makeLeafs(one, later.now()).issue(host, later.now()));
    expect(leaf.validFrom).toBe("Jan 14 00:00:00 2045 GMT");
  });

  it("has a name of at most 64 characters and a serial of its own", async () => {
    const other = new X509Certificate((await makeAuthority({ deployment: "x".repeat(80), clock })).certificatePem);
    expect(other.subject).toHaveLength("CN=".length + 64);
    expect(other.serialNumber).not.toBe(new X509Certificate(authority.certificatePem).serialNumber);
  });
});

describe("a certificate of the proxy", () => {
  it.each([
    host,
    "a_b.x-y.example",
    "xn--mnchen-3ya.example",
    `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.example`,
  ])("is accepted by Node for %s", async (name) => {
    expect((await accepted(name)).subjectaltname).toBe(`DNS:${name}`);
  });

  it("is for its host only, and for TLS 1.2 and later", async () => {
    const context = await certificates.contextFor("other.example");
    const one = createServer({ SNICallback: (_name, done) => done(null, context) });
    await new Promise<void>((done) => one.listen(0, "127.0.0.1", done));
    const socket = connect({
      port: (one.address() as AddressInfo).port,
      servername: host,
      ca: authority.certificatePem,
    });
    const error = await new Promise<Error>((resolve) => socket.once("error", resolve));
    expect(error).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    one.close();
    await expect(accepted(host, { maxVersion: "TLSv1.1" })).rejects.toThrow();
  });

  it.each([
    ["127.0.0.1", "IP Address:127.0.0.1"],
    ["2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1"],
    [host, `DNS:${host}`],
  ])("names %s, for a week from yesterday", (name, alternative) => {
    const leaf = new X509Certificate(makeLeafs(authority, now).issue(name, now));
    expect(leaf.subjectAltName).toBe(alternative);
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(Math.abs(Date.parse(leaf.validFrom) - (now - day))).toBeLessThan(1_000);
    expect(Math.abs(Date.parse(leaf.validTo) - (now + 7 * day))).toBeLessThan(1_000);
  });

  it("is accepted by openssl under its strict rules", async () => {
    for (const [name, check] of [
      [host, ["-verify_hostname", host]],
      ["127.0.0.1", ["-verify_ip", "127.0.0.1"]],
      ["2001:db8::1", ["-verify_ip", "2001:db8::1"]],
    ] as const) {
      const leaf = join(dir, "leaf.pem");
      await writeFile(leaf, makeLeafs(authority, now).issue(name, now));
      const args = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", join(dir, "ca.pem"), ...check, leaf];
      expect((await run("openssl", args)).stdout).toContain("OK");
    }
  });

  it("is accepted by Python's ssl under its strict rules", async () => {
    const script = `
import socket, ssl, sys
context = ssl.create_default_context(cadata=open(sys.argv[1]).read())
context.verify_flags |= ssl.VERIFY_X509_STRICT
for name in (${JSON.stringify(host)}, "127.0.0.1"):
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as plain:
        with context.wrap_socket(plain, server_hostname=name) as tls:
            print(tls.version(), tls.getpeercert()["subjectAltName"])
`;
    const { stdout } = await run("python3", ["-c", script, join(dir, "ca.pem"), String(port)]);
    expect(stdout).toContain(`('DNS', '${host}')`);
    expect(stdout).toContain("('IP Address', '127.0.0.1')");
  });

  it("is accepted by curl", async () => {
    const args = ["--silent", "--show-error", "--noproxy", "*", "--cacert", join(dir, "ca.pem")];
    const named = [...args, "--resolve", `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`];
    expect((await run("curl", named)).stdout).toBe("hello");
    expect((await run("curl", [...args, `https://127.0.0.1:${port}/`])).stdout).toBe("hello");
    await expect(run("curl", ["--silent", "--noproxy", "*", `https://127.0.0.1:${port}/`])).rejects.toThrow();
  });
});

describe("the contexts kept", () => {
  it("are used again until half of their life is over", async () => {
    const start = now;
    const own = makeCertificates({ authority, clock });
    const first = await own.contextFor(host);
    now = start + 3.4 * day;
    expect(await own.contextFor(host.toUpperCase())).toBe(first);
    now = start + 3.6 * day;
    const second = await own.contextFor(host);
    expect(second).not.toBe(first);
    now = start;
    expect(await own.contextFor(host)).not.toBe(second);
  });

  it("are those of the thousand hosts used last", async () => {
    const own = makeCertificates({ authority, clock });
    const contexts = new Map<string, SecureContext>();
    const ask = async (name: string) => {
      const context = await own.contextFor(name);
      const same = contexts.get(name) === context;
      contexts.set(name, context);
      return same;
    };
    for (let index = 0; index < 1_000; index += 1) await ask(`h${index}.example`);
    expect(await ask("h0.example")).toBe(true);
    await ask("one-more.example");
    expect(await ask("h0.example")).toBe(true);
    expect(await ask("h1.example")).toBe(false);
  });

  it("are made fast", async () => {
    const own = makeCertificates({ authority, clock });
    const started = performance.now();
    for (let index = 0; index < 100; index += 1) await own.contextFor(`fast${index}.example`);
    expect((performance.now() - started) / 100).toBeLessThan(10);
  });
});

describe("an authority that cannot be used", () => {
  it("is refused at once", async () => {
    const other = await makeAuthority({ deployment: "test", clock });
    const mixed = { certificatePem: authority.certificatePem, keyPem: other.keyPem };
    expect(() => makeCertificates({ authority: mixed, clock })).toThrow("do not belong together");
    const later = { now: () => now + 3_700 * day };
    expect(() => makeCertificates({ authority, clock: later })).toThrow("has expired");
  });
});
