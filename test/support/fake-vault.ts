import { randomBytes } from "node:crypto";
import { BulkheadError } from "#contracts/errors.ts";
import { cannotOpen, type DataKeys, openEnvelope, sealEnvelope } from "#core/envelope.ts";
import type { Vault } from "#core/ports.ts";

export interface FakeVault extends Vault {
  /** Secrets that exist, by reference. */
  readonly secrets: Map<string, string>;
}

/** Seals under keys that are kept in memory. */
export function makeFakeVault(): FakeVault {
  const secrets = new Map<string, string>();
  const keys = memoryKeys();
  return {
    secrets,
    seal: (values, context) => sealEnvelope(keys, values, context),
    open: (sealed, context) => openEnvelope(keys, sealed, context),
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

function memoryKeys(): DataKeys {
  const made = new Map<string, Uint8Array>();
  return {
    async make() {
      const [key, wrapped] = [randomBytes(32), randomBytes(16)];
      made.set(wrapped.toString("hex"), Uint8Array.from(key));
      return { key, wrapped };
    },
    async unwrap(wrapped) {
      const key = made.get(Buffer.from(wrapped).toString("hex"));
      if (key === undefined) throw cannotOpen();
      return Uint8Array.from(key);
    },
  };
}
