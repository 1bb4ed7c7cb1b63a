import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { CliError, messageOf } from "./failure.ts";
import type { ResultFrame } from "./stream.ts";

const kinds = [
  { field: "png", encoding: "base64" },
  { field: "svg", encoding: "utf8" },
  { field: "html", encoding: "utf8" },
] as const;

/** Files that are tried before a free name is given up. */
const mostNames = 10_000;

/** Writes the pictures of a result as `<name>-N.png`, and so on; what is there stays. Answers with their paths. */
export async function savePictures(result: ResultFrame, directory: string, name: string): Promise<readonly string[]> {
  const saved: string[] = [];
  for (const { field, encoding } of kinds) {
    const value: unknown = result[field as keyof ResultFrame];
    for (const content of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof content !== "string" || content === "") continue;
      saved.push(await saveFree(directory, name, field, Buffer.from(content, encoding)));
    }
  }
  return saved;
}

async function saveFree(directory: string, name: string, extension: string, content: Buffer): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    for (let number = 1; number <= mostNames; number += 1) {
      const path = join(directory, `${name}-${number}.${extension}`);
      const file = await open(path, "wx").catch((error: unknown) => {
        if (error instanceof Error && "code" in error && error.code === "EEXIST") return undefined;
        throw error;
      });
      if (file === undefined) continue;
      await file.writeFile(content).finally(() => file.close());
      return path;
    }
  } catch (cause) {
    throw new CliError(
      `The picture could not be written to ${directory}: ${messageOf(cause)} Say where with --out.`,
      1,
      cause,
    );
  }
  throw new CliError(`${directory} is full of pictures of ${name}. Say another directory with --out.`);
}
