import { readFile } from "node:fs/promises";
import { putSecretSchema } from "#contracts/control/secrets.ts";
import { CliError, exitCodes, messageOf } from "../failure.ts";
import type { CliDeps } from "../program.ts";

/** The value of a secret, without the line end that editors and `echo` add. @throws CliError for what cannot be one */
export async function readValue(
  name: string,
  file: string | undefined,
  { readSecret }: Pick<CliDeps, "readSecret">,
): Promise<string> {
  const text = file === undefined ? await readSecret(`Value of ${name}: `) : decodeText(await readBytes(file));
  const parsed = putSecretSchema.safeParse({ value: text.replace(/\r?\n$/, "") });
  if (parsed.success) return parsed.data.value;
  throw new CliError(`The value ${parsed.error.issues[0]?.message ?? "cannot be used"}.`, exitCodes.usage);
}

/** Bytes that are no text would come back changed. @throws CliError */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new CliError("The value is no text in UTF-8. Encode it first, e.g. with base64.", exitCodes.usage);
  }
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new CliError(`${file} cannot be read: ${messageOf(cause)}`, exitCodes.notFound, cause);
  }
}
