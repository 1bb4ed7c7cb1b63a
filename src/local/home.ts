import { chmod, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "#contracts/errors.ts";

/** Paths in the data directory. Everything in it is readable by its owner only. */
export interface Home {
  readonly root: string;
  readonly apiKeyFile: string;
  readonly signingKeyFile: string;
  readonly vaultKeyFile: string;
  /** Signs checkpoints of the audit record and evidence. */
  readonly auditKeyFile: string;
  readonly alertSecretFile: string;
  /** The egress CA. */
  readonly egressAuthority: { readonly keyFile: string; readonly certificateFile: string };
  readonly secretsDir: string;
  readonly databaseDir: string;
  readonly logsDir: string;
}

export async function openHome(root: string): Promise<Home> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  await chmod(root, 0o700);
  const home: Home = {
    root,
    apiKeyFile: join(root, "api-key"),
    signingKeyFile: join(root, "signing-key.pem"),
    vaultKeyFile: join(root, "vault-key"),
    auditKeyFile: join(root, "audit-key.pem"),
    alertSecretFile: join(root, "alert-webhook-secret"),
    egressAuthority: { keyFile: join(root, "egress-ca-key.pem"), certificateFile: join(root, "egress-ca.pem") },
    secretsDir: join(root, "secrets"),
    databaseDir: join(root, "database"),
    logsDir: join(root, "logs"),
  };
  await mkdir(home.logsDir, { recursive: true, mode: 0o700 });
  return home;
}

/**
 * One platform per data directory: writes our process id into `lock`. A lock whose process is gone is taken over.
 * @returns the undo
 * @throws BulkheadError CONFLICT naming the process that holds it
 */
export async function lockHome(home: Home): Promise<() => Promise<void>> {
  const path = join(home.root, "lock");
  for (;;) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(`${process.pid}\n`);
      await file.close();
      return () => rm(path, { force: true });
    } catch (thrown) {
      if (!isExists(thrown)) throw thrown;
      const holder = Number((await readFile(path, "utf8").catch(() => "")).trim());
      if (holder !== process.pid && (await isBulkhead(holder))) {
        throw new BulkheadError(
          "CONFLICT",
          `Another platform (process ${holder}) uses ${home.root}. Stop it, or choose another directory with BULKHEAD_HOME.`,
        );
      }
      await rm(path, { force: true });
    }
  }
}

function isExists(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST";
}

/** True when the process lives and is ours: process ids are reused after a crash. */
async function isBulkhead(pid: number): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.includes("local.mjs") || commandLine.includes("local/main.ts");
}

/** Writes a file that only its owner may read, never through an existing file's wider mode. */
export async function writePrivate(path: string, text: string): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
}
