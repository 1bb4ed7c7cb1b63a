import { existsSync } from "node:fs";
import { cp, mkdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import type { RunCommand } from "./run-command.ts";

/** Where sandboxes find the CA of the egress proxy by itself; {@link bundleName} stands beside it. */
export const caFile = "/etc/ssl/certs/bulkhead-egress.pem";
const bundleName = "ca-certificates.crt";

/** Below /etc: the authorities that programs of each distribution trust, in one file. */
const bundles = [
  "ssl/certs/ca-certificates.crt",
  "pki/tls/certs/ca-bundle.crt",
  "pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "ssl/ca-bundle.pem",
  "ssl/cert.pem",
];

/**
 * Makes programs that see `directory` as /etc trust one more authority, wherever their distribution keeps those.
 * @param host what `directory` was copied from
 */
export async function trustAuthority(directory: string, caPem: string, run: RunCommand, host = "/etc"): Promise<void> {
  const certs = `${directory}/ssl/certs`;
  await makeOwnDirectory(directory, certs, `${host}/ssl/certs`);
  const pem = `${caPem.trim()}\n`;
  const own = `${certs}/bulkhead-egress.pem`;
  await replace(own, pem);
  const known = bundles.filter((name) => existsSync(`${host}/${name}`));
  for (const name of known) await appendTo(`${directory}/${name}`, `${host}/${name}`, pem);
  const [first] = known;
  if (first !== bundles[0]) {
    const before = first === undefined ? "" : await readFile(`${host}/${first}`, "utf8");
    await replace(`${certs}/${bundleName}`, joined(before, pem));
  }
  await linkByHash(certs, own, run);
}

/** A link out of `directory` would lead nowhere inside, and our writing out of it. */
async function makeOwnDirectory(directory: string, certs: string, from: string): Promise<void> {
  const real = await realpath(certs).catch(() => null);
  if (real?.startsWith(`${await realpath(directory)}/`) === true) return;
  await rm(certs, { recursive: true, force: true });
  if (existsSync(from)) await cp(from, certs, { recursive: true, dereference: true });
  await mkdir(certs, { recursive: true });
}

async function appendTo(path: string, from: string, pem: string): Promise<void> {
  await replace(path, joined(await readFile(from, "utf8"), pem));
}

const joined = (before: string, pem: string) => `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${pem}`;

/** Copies may be links or not writable, as their originals are. */
async function replace(path: string, text: string): Promise<void> {
  await mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await rm(path, { force: true });
  await writeFile(path, text, { mode: 0o644 });
}

/** How OpenSSL finds an authority in a directory. Without the program on this host there is the bundle alone. */
async function linkByHash(certs: string, own: string, run: RunCommand): Promise<void> {
  const { code, stdout } = await run("openssl", ["x509", "-noout", "-subject_hash", "-in", own]);
  const hash = stdout.trim();
  if (code !== 0 || !/^[0-9a-f]{8}$/.test(hash)) return;
  const taken = (number: number) => existsSync(`${certs}/${hash}.${number}`);
  let number = 0;
  while (taken(number)) number += 1;
  await symlink("bulkhead-egress.pem", `${certs}/${hash}.${number}`);
}
