import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";

const fileSchema = z.object({
  name: z.string(),
  createdAt: z.number(),
  updatedAt: z.number(),
  version: z.number(),
  sealed: z.string(),
});
export type SecretFile = z.infer<typeof fileSchema>;

/** undefined when there is none; `damaged` for what no write of ours leaves. */
export async function readSecretFile(path: string): Promise<SecretFile | "damaged" | undefined> {
  const text = await readFile(path, "utf8").catch(ifMissing<string | undefined>(undefined));
  if (text === undefined) return undefined;
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch {
    // No cause: a parse error quotes the file.
    return "damaged";
  }
}

/** Whole or not at all, on disk when it returns, for its owner only. Not to be called twice at once for one path. */
export async function writeSecretFile(path: string, secret: SecretFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  // Another's draft, cut off, could be open to others.
  await rm(draft, { force: true });
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(secret)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

/** @returns whether there was one */
export function removeFile(path: string): Promise<boolean> {
  return rm(path).then(() => true, ifMissing(false));
}

/** For `catch`: what is not there is `fallback`, any other failure stays one. */
export function ifMissing<T>(fallback: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return fallback;
    throw error;
  };
}
