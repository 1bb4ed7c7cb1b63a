import { existsSync } from "node:fs";
import { chmod, cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { insideUserId } from "./identity.ts";
import { runCommand } from "./run-command.ts";
import { sshConfig } from "./ssh-config.ts";
import { trustAuthority } from "./trusted-certificates.ts";

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
  "ssh/ssh_config": sshConfig,
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

export interface EtcOptions {
  /** Certificate of one more authority that programs trust: the egress proxy's. @default - those of the host alone */
  readonly caPem?: string | undefined;
}

/** Writes the directory that every sandbox gets as /etc. */
export async function writeEtc(directory: string, { caPem }: EtcOptions = {}): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(`${directory}/ssh`, { recursive: true });
  for (const [name, text] of Object.entries(etcFiles)) {
    await writeFile(`${directory}/${name}`, text, { mode: 0o644 });
    await chmod(`${directory}/${name}`, 0o644);
  }
  for (const name of etcCopies) {
    await copyIfThere(`/etc/${name}`, `${directory}/${name}`, name === "alternatives" || name === "ssl/certs");
  }
  await copyIfThere("/usr/share/zoneinfo/Etc/UTC", `${directory}/localtime`, false);
  if (caPem !== undefined) await trustAuthority(directory, caPem, runCommand);
}

export interface AgentFiles {
  /** The agent's bundle. */
  readonly agentBundle: string;
  /** src/agent/tools/python, or null when there is none. */
  readonly pythonTools: string | null;
  /** Programs for the Node.js inside (scripts/build-tools.mjs). @default - none: its `fetch` does not use the proxy */
  readonly nodeTools?: string | undefined;
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
  if (files.nodeTools !== undefined) await copyNodeTools(files.nodeTools, directory);
  if (files.pythonTools !== null) await cp(files.pythonTools, `${directory}/python`, { recursive: true });
}

/** Where nothing here may be executed, `node` runs the one program among them all the same. */
async function copyNodeTools(from: string, directory: string): Promise<void> {
  for (const name of await readdir(from)) {
    const to = `${directory}/${name.endsWith(".cjs") ? "lib" : "bin"}/${name}`;
    await cp(`${from}/${name}`, to);
    await chmod(to, name.endsWith(".cjs") ? 0o644 : 0o755);
  }
}
