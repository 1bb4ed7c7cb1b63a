import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { SealContext } from "./ports.ts";

/**
 * What a sealed text is bound to; opened with another it fails. On AWS it is KMS's encryption context: it stands in CloudTrail, and
 * the functions' rights to the key name these keys and no others.
 */
export const contextKeys = ["projectId", "purpose", "sandboxId"] as const;
export type EnvelopeContext = Readonly<Record<(typeof contextKeys)[number], string>>;

/** Where the key of one sealed text comes from: 32 bytes to use once, and what is needed to have them again. */
export interface DataKeys {
  make(context: EnvelopeContext): Promise<{ readonly key: Uint8Array; readonly wrapped: Uint8Array }>;
  /** @throws BulkheadError INTERNAL_ERROR when `wrapped` was made in another context or was changed */
  unwrap(wrapped: Uint8Array, context: EnvelopeContext): Promise<Uint8Array>;
}

/** First part of the text; another form gets another one. */
const version = "bh1";
const algorithm = "aes-256-gcm";
const ivBytes = 12;
const tagBytes = 16;

const valuesSchema = z.record(z.string(), z.string());
const textSchema = z
  .string()
  .regex(/^bh1\.[\w-]{1,8192}\.[\w-]{16}\.[\w-]{22,}$/)
  .transform((text) => text.split(".").map((part) => Buffer.from(part, "base64url")));

/** `bh1.<wrapped key>.<iv>.<ciphertext and tag>`, each part base64url. One data key, and one call to its source, per text. */
export async function sealEnvelope(
  keys: DataKeys,
  values: Readonly<Record<string, string>>,
  sealContext: SealContext,
): Promise<string> {
  const context = contextOf(sealContext);
  const { key, wrapped } = await keys.make(context);
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, key, iv);
  cipher.setAAD(boundTo(context));
  const sealed = Buffer.concat([cipher.update(JSON.stringify(values), "utf8"), cipher.final(), cipher.getAuthTag()]);
  key.fill(0);
  return [version, ...[wrapped, iv, sealed].map((part) => Buffer.from(part).toString("base64url"))].join(".");
}

/** @throws BulkheadError INTERNAL_ERROR for a text that was sealed in another context, was changed, or is none of ours */
export async function openEnvelope(
  keys: DataKeys,
  text: string,
  sealContext: SealContext,
): Promise<Readonly<Record<string, string>>> {
  const context = contextOf(sealContext);
  const [, wrapped, iv, sealed] = textSchema.safeParse(text).data ?? [];
  if (wrapped === undefined || iv === undefined || sealed === undefined) throw cannotOpen();
  const key = await keys.unwrap(wrapped, context);
  try {
    const decipher = createDecipheriv(algorithm, key, iv, { authTagLength: tagBytes });
    decipher.setAAD(boundTo(context));
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    const plain = Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]);
    return valuesSchema.parse(JSON.parse(plain.toString("utf8")));
  } catch {
    // No cause: a parse error may quote what was sealed.
    throw cannotOpen();
  } finally {
    key.fill(0);
  }
}

export function cannotOpen(cause?: unknown): BulkheadError {
  return new BulkheadError("INTERNAL_ERROR", "Sealed values could not be opened. Report the request id.", { cause });
}

function contextOf({ sandboxId, projectId, purpose = "env" }: SealContext): EnvelopeContext {
  return { projectId, purpose, sandboxId };
}

function boundTo(context: EnvelopeContext): Buffer {
  return Buffer.from(JSON.stringify([version, context.projectId, context.purpose, context.sandboxId]));
}
