import { BulkheadError } from "#contracts/errors.ts";
import type { Vault } from "#core/ports.ts";

export interface FakeVault extends Vault {
  /** Secrets that exist, by reference. */
  readonly secrets: Map<string, string>;
}

/** Seals by writing the context beside the values: enough to tell who opens what. */
export function makeFakeVault(): FakeVault {
  const secrets = new Map<string, string>();
  return {
    secrets,
    seal: async (values, context) => Buffer.from(JSON.stringify({ values, context })).toString("base64url"),
    async open(sealed, context) {
      const stored: unknown = JSON.parse(Buffer.from(sealed, "base64url").toString());
      if (!isSealed(stored) || JSON.stringify(stored.context) !== JSON.stringify(context)) {
        throw new BulkheadError("INTERNAL_ERROR", "Sealed for another sandbox.");
      }
      return stored.values;
    },
    async resolve(_projectId, references) {
      const found: Record<string, string> = {};
      for (const [name, reference] of Object.entries(references)) {
        const value = secrets.get(reference);
        if (value === undefined) throw new BulkheadError("INVALID_REQUEST", `Secret of ${name} cannot be used.`);
        found[name] = value;
      }
      return found;
    },
  };
}

function isSealed(value: unknown): value is { values: Record<string, string>; context: unknown } {
  return typeof value === "object" && value !== null && "values" in value && "context" in value;
}
