import { hkdfSync, randomBytes } from "node:crypto";
import { type DataKeys, openEnvelope, sealEnvelope } from "#core/envelope.ts";
import type { Vault } from "#core/ports.ts";
import { readKeyFile } from "./key-file.ts";

const keyBytes = 32;
const saltBytes = 32;

/** Seals with the key in `keyFile`, which is made on first use with mode 0600. */
export function makeLocalVault(options: { readonly keyFile: string }): Pick<Vault, "seal" | "open"> {
  const master = readKeyFile(options.keyFile, () => randomBytes(keyBytes));
  if (master.byteLength !== keyBytes) {
    throw new Error(`${options.keyFile} is not a key of ${keyBytes} bytes. Move it away to have a new one made.`);
  }
  const keys = deriveKeys(master);
  return {
    seal: (values, context) => sealEnvelope(keys, values, context),
    open: (sealed, context) => openEnvelope(keys, sealed, context),
  };
}

/** A key for each text, from the master key and a salt that is stored with the text. */
function deriveKeys(master: Uint8Array): DataKeys {
  const derive = (salt: Uint8Array, context: object) =>
    new Uint8Array(hkdfSync("sha256", master, salt, JSON.stringify(context), keyBytes));
  return {
    make(context) {
      const wrapped = randomBytes(saltBytes);
      return Promise.resolve({ key: derive(wrapped, context), wrapped });
    },
    unwrap: (wrapped, context) => Promise.resolve(derive(wrapped, context)),
  };
}
