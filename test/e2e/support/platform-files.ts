import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { z } from "zod";

/** Directories of a platform's home that hold what users put into their sandboxes, and what templates are made of. */
const others = new Set(["disks", "templates"]);

/** Every file that the platform itself has written under its home, as bytes in latin1, by path. */
export function platformFiles(directory: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && !(at === directory && others.has(entry.name))) walk(path);
      else if (entry.isFile()) found.set(path, readFileSync(path, "latin1"));
    }
  };
  walk(directory);
  return found;
}

const databaseSchema = z.custom<{
  open(): Promise<void>;
  iterator(): AsyncIterable<[Buffer, Buffer]>;
  close(): Promise<void>;
}>();

/** Segments of the audit and egress records, which stand gzipped in the database's JSON. */
const zipped = /"B":"(H4sI[A-Za-z0-9+/]+=*)"/g;

/** All keys and values of the platform's database, which is compressed on disk, with what is gzipped in it. The platform must have ended. */
export async function databaseText(home: string): Promise<string> {
  const require = createRequire(import.meta.url);
  const { ClassicLevel } = z
    .object({ ClassicLevel: z.custom<new (path: string, options: object) => unknown>() })
    .parse(require("classic-level"));
  const options = { keyEncoding: "buffer", valueEncoding: "buffer", createIfMissing: false };
  const database = databaseSchema.parse(new ClassicLevel(join(home, "database", "files"), options));
  await database.open();
  let text = "";
  for await (const [key, value] of database.iterator()) {
    const stored = value.toString("latin1");
    text += `${key.toString("latin1")}\n${stored}\n`;
    for (const [, base64 = ""] of stored.matchAll(zipped))
      text += gunzipSync(Buffer.from(base64, "base64")).toString("latin1");
  }
  await database.close();
  return text;
}
