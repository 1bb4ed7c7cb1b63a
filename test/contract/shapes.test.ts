import { readFile, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { z } from "zod";
import * as schemas from "#aws/schemas.ts";

const { schemaVersion, ...entities } = schemas;
const file = new URL(`shapes-v${schemaVersion}.json`, import.meta.url);

/**
 * Items outlive the code that wrote them. When a shape must change: raise `schemaVersion`, see to it that items of the version
 * before can still be read, run this test once, which writes the new shapes beside the old ones, and check the file in.
 */
it(`stores the shapes of schema version ${schemaVersion}`, async () => {
  const shapes = Object.fromEntries(
    Object.entries(entities).map(([name, schema]) => [name, z.toJSONSchema(schema, { io: "input" })]),
  );
  let released: unknown;
  try {
    released = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    await writeFile(file, `${JSON.stringify(shapes, null, 2)}\n`);
    throw new Error(`${file.pathname} did not exist and was written: look at it and check it in`, { cause });
  }
  expect(JSON.parse(JSON.stringify(shapes))).toEqual(released);
});
