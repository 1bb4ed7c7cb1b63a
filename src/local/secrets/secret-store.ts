import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "#contracts/errors.ts";
import { cannotOpen } from "#core/envelope.ts";
import type { Clock, SealContext, SecretFacts, SecretStore, Vault } from "#core/ports.ts";
import { ifMissing, readSecretFile, removeFile, type SecretFile, writeSecretFile } from "./secret-file.ts";

export interface LocalSecretStore extends SecretStore {
  /** undefined when there is none of that name. @throws BulkheadError INTERNAL_ERROR for a file that was changed, or moved here */
  read(projectId: string, name: string): Promise<string | undefined>;
}

export interface LocalSecretStoreDeps {
  /** Holds one directory for each project; made when it is needed, for its owner only. */
  readonly directory: string;
  readonly vault: Pick<Vault, "seal" | "open">;
  readonly clock: Pick<Clock, "now">;
}

const mostPerProject = 1_000;

/** Secrets in files, sealed with the machine's key and bound to their project and name: a file put elsewhere cannot be opened. */
export function makeLocalSecretStore({ directory, vault, clock }: LocalSecretStoreDeps): LocalSecretStore {
  const directoryOf = (projectId: string) => join(directory, digest(projectId));
  const pathOf = (projectId: string, name: string) => join(directoryOf(projectId), `${digest(name)}.json`);
  const contextOf = (projectId: string, name: string): SealContext => ({
    projectId,
    sandboxId: name,
    purpose: "secret",
  });
  const inTurn = makeTurns();

  async function files(projectId: string): Promise<readonly string[]> {
    const all = await readdir(directoryOf(projectId)).catch(ifMissing<string[]>([]));
    return all.filter((file) => file.endsWith(".json")).map((file) => join(directoryOf(projectId), file));
  }

  async function put(projectId: string, name: string, value: string): Promise<SecretFacts> {
    const path = pathOf(projectId, name);
    const before = await readSecretFile(path);
    if (before === undefined && (await files(projectId)).length >= mostPerProject) {
      const message = `The limit of ${mostPerProject} secrets of a project is reached. Remove some.`;
      throw new BulkheadError("RESOURCE_LIMIT_ERROR", message, { details: { limit: mostPerProject } });
    }
    const known = before === "damaged" ? undefined : before;
    const now = clock.now();
    const secret: SecretFile = {
      name,
      createdAt: known?.createdAt ?? now,
      updatedAt: now,
      version: (known?.version ?? 0) + 1,
      sealed: await vault.seal({ value }, contextOf(projectId, name)),
    };
    await writeSecretFile(path, secret);
    return factsOf(secret);
  }

  return {
    /** What is damaged is left out: it hides none of the others. */
    async list(projectId) {
      const found = await Promise.all((await files(projectId)).map(readSecretFile));
      const whole = found.flatMap((one) => (one === undefined || one === "damaged" ? [] : [factsOf(one)]));
      return whole.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    put: (projectId, name, value) => inTurn(() => put(projectId, name, value)),
    remove: (projectId, name) => inTurn(() => removeFile(pathOf(projectId, name))),
    async read(projectId, name) {
      const secret = await readSecretFile(pathOf(projectId, name));
      if (secret === undefined) return undefined;
      if (secret === "damaged") throw cannotOpen();
      return (await vault.open(secret.sealed, contextOf(projectId, name)))["value"];
    },
  };
}

const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 40);

function factsOf({ name, createdAt, updatedAt, version }: SecretFile): SecretFacts {
  return { name, createdAt, updatedAt, version };
}

/** Runs one after another what it is given: a version's number and the limit need to see what the change before left. */
function makeTurns() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}
