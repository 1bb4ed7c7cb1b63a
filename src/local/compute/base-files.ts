import { existsSync } from "node:fs";
import { chmod, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { insideUserId } from "./identity.ts";

/**
 * What sandboxes see at /etc. Written by us: nothing of the host's accounts, hosts, proxies or package settings.
 * Without /etc/localtime ICU searches all time zones on start; TZ is set besides.
 */
const etcFiles: Readonly<Record<string, string>> = {
  passwd: [
    "root:x:0:0:agent:/nonexistent:/usr/sbin/nologin",
    `user:x:${insideUserId}:${insideUserId}:user:/workspace:/bin/bash`,
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
    "",
  ].join("\n"),
  group: `root:x:0:\nuser:x:${insideUserId}:\nnogroup:x:65534:\n`,
  hosts: "127.0.0.1 localhost sandbox\n::1 localhost\n",
  hostname: "sandbox\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
  "resolv.conf": "",
  "host.conf": "multi on\n",
  timezone: "Etc/UTC\n",
  profile: "umask 022\n",
  "bash.bashrc": "",
  shells: "/bin/sh\n/bin/bash\n",
};

/** Facts about installed software, copied because they hold nothing of the host's owner. */
const etcCopies = [
  "alternatives",
  "ca-certificates.conf",
  "debian_version",
  "fonts",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "magic",
  "mime.types",
  "os-release",
  "pki/tls/certs",
  "pki/ca-trust/extracted",
  "protocols",
  "services",
  "ssl/certs",
  "ssl/openssl.cnf",
  "terminfo",
];

async function copyIfThere(from: string, to: string, verbatimSymlinks: boolean): Promise<void> {
  if (!existsSync(from)) return;
  await mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  await cp(from, to, { recursive: true, verbatimSymlinks, dereference: !verbatimSymlinks });
}

/** Writes the directory that every sandbox gets as /etc. */
export async function writeEtc(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(etcFiles)) {
    await writeFile(`${directory}/${name}`, text, { mode: 0o644 });
    await chmod(`${directory}/${name}`, 0o644);
  }
  for (const name of etcCopies) {
    await copyIfThere(`/etc/${name}`, `${directory}/${name}`, name === "alternatives" || name === "ssl/certs");
  }
  await copyIfThere("/usr/share/zoneinfo/Etc/UTC", `${directory}/localtime`, false);
}

export interface AgentFiles {
  /** The agent's bundle. */
  readonly agentBundle: string;
  /** src/agent/tools/python, or null when there is none. */
  readonly pythonTools: string | null;
}

/**
 * Writes the directory that every sandbox gets as /opt/bulkhead. Copies, so that a rebuild cannot change running sandboxes;
 * executables are not copied (the run directory may be mounted noexec) but bound over empty files.
 */
export async function writeOpt(directory: string, files: AgentFiles): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(`${directory}/bin`, { recursive: true });
  await writeFile(`${directory}/bin/node`, "");
  await writeFile(`${directory}/bin/esbuild`, "");
  await mkdir(`${directory}/lib`);
  await writeFile(`${directory}/lib/pty.node`, "");
  await cp(files.agentBundle, `${directory}/agent.cjs`);
  await mkdir(`${directory}/python`);
  if (files.pythonTools !== null) await cp(files.pythonTools, `${directory}/python`, { recursive: true });
}
