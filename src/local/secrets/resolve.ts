import { BulkheadError } from "#contracts/errors.ts";
import type { Vault } from "#core/ports.ts";
import { readValue } from "#core/secret-value.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { LocalSecretStore } from "./secret-store.ts";

/** Resolves references from this machine's store. Why one cannot be used is told in the log only. */
export function makeLocalResolve(deps: {
  readonly store: Pick<LocalSecretStore, "read">;
  readonly logger: Logger;
}): Vault["resolve"] {
  return async (projectId, references) => {
    const values = new Map<string, string>();
    const refused: string[] = [];
    for (const [variable, reference] of Object.entries(references)) {
      const [name = "", ...key] = reference.split("#");
      const text = await deps.store.read(projectId, name);
      const read =
        text === undefined ? { refused: "no such secret" } : readValue(text, key.length === 0 ? null : key.join("#"));
      if ("value" in read) values.set(variable, read.value);
      else {
        refused.push(variable);
        deps.logger.warn("secret not given out", {
          project: projectId,
          name: variable,
          secretId: name,
          reason: read.refused,
        });
      }
    }
    if (refused.length > 0) throw notUsable(refused);
    return Object.fromEntries(values);
  };
}

function notUsable(names: readonly string[]): BulkheadError {
  return new BulkheadError(
    "INVALID_REQUEST",
    `Secrets that this project cannot use: ${names.join(", ")}. "bulkhead secrets list" shows what there is, "bulkhead secrets set" adds one.`,
    { details: { issues: names.map((name) => ({ path: `secrets.${name}`, message: "cannot be used" })) } },
  );
}
