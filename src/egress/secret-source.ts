import type { Vault } from "#core/ports.ts";
import type { SecretSource } from "./ports.ts";

/** Values as the vault gives them, which says how long it uses one again. */
export function makeSecretSource(resolve: Vault["resolve"]): SecretSource {
  return {
    async value(projectId, reference) {
      const { secret } = await resolve(projectId, { secret: reference });
      if (secret === undefined) throw new Error("the vault answered without the secret");
      return secret;
    },
  };
}
