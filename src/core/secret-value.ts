import * as z from "zod";

const objectSchema = z.record(z.string(), z.unknown());
const fieldSchema = z.union([z.string(), z.number(), z.boolean()]);

export type ReadValue = { readonly value: string } | { readonly refused: string };

/** The text that a reference stands for. A number or truth value of a JSON object is written as JSON writes it. */
export function readValue(secret: string, jsonKey: string | null): ReadValue {
  if (jsonKey === null) return printable(secret);
  let parsed: unknown;
  try {
    parsed = JSON.parse(secret);
  } catch {
    return { refused: "the secret is not JSON" };
  }
  const object = objectSchema.safeParse(parsed);
  if (!object.success) return { refused: "the secret is not a JSON object" };
  if (!Object.hasOwn(object.data, jsonKey)) return { refused: "the secret has no such key" };
  const field = fieldSchema.safeParse(object.data[jsonKey]);
  return field.success ? printable(String(field.data)) : { refused: "the key holds no plain value" };
}

function printable(value: string): ReadValue {
  return value.includes("\0") ? { refused: "the value cannot stand in an environment" } : { value };
}
