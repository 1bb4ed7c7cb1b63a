import { BatchGetSecretValueCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { BulkheadError } from "#contracts/errors.ts";
import type { Clock, Vault } from "#core/ports.ts";
import { readValue } from "#core/secret-value.ts";
import type { Logger } from "#telemetry/logger.ts";
import { readReference, type SecretReference } from "./secret-reference.ts";
import { type ClientChoice, secretsClient } from "./service-clients.ts";
import { serviceFailure } from "./service-failure.ts";

const service = "The store of secrets";
const batchSize = 20;

export interface SecretResolverDeps extends ClientChoice<SecretsManagerClient> {
  /** First part of the names of usable secrets; a slash at its end changes nothing. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a value is used again; a rotated or withdrawn secret is still given out for so long. @default 60_000 */
  readonly keepMs?: number;
}

/** A stored secret, or why it cannot be used. */
type Found = { readonly text: string } | { readonly refused: string };

/** Resolves references from Secrets Manager: one call for up to 20 secrets, none for those used a moment ago. */
export function makeSecretResolver(deps: SecretResolverDeps): Vault["resolve"] {
  const { clock, logger, prefix } = deps;
  const client = secretsClient(deps);
  const recent = makeRecent(clock, deps.keepMs ?? 60_000);

  async function find(names: readonly string[]): Promise<ReadonlyMap<string, Found>> {
    const found = new Map<string, Found>();
    const missing: string[] = [];
    for (const name of names) {
      const text = recent.get(name);
      if (text === undefined) missing.push(name);
      else found.set(name, { text });
    }
    for (const [name, one] of await fetchSecrets(client, missing)) {
      if ("text" in one) recent.put(name, one.text);
      found.set(name, one);
    }
    return found;
  }

  return async (projectId, references) => {
    const refused: string[] = [];
    const refuse = (name: string, secretId: string, reason: string): void => {
      refused.push(name);
      logger.warn("secret not given out", { project: projectId, name, secretId, reason });
    };
    const wanted = new Map<string, SecretReference>();
    for (const [name, text] of Object.entries(references)) {
      const read = readReference(text, prefix, projectId);
      if ("refused" in read) refuse(name, text, read.refused);
      else wanted.set(name, read.reference);
    }
    // Nothing is fetched for a request that fails anyway.
    const names = refused.length > 0 ? [] : [...new Set([...wanted.values()].map((reference) => reference.name))];
    const found = await find(names);
    const values = new Map<string, string>();
    for (const [name, reference] of refused.length > 0 ? [] : wanted) {
      const read = valueIn(found.get(reference.name), reference);
      if ("refused" in read) refuse(name, reference.name, read.refused);
      else values.set(name, read.value);
    }
    if (refused.length > 0) throw notUsable(refused);
    return Object.fromEntries(values);
  };
}

function valueIn(found: Found | undefined, reference: SecretReference): ReturnType<typeof readValue> {
  if (found === undefined) return { refused: "no such secret" };
  return "refused" in found ? found : readValue(found.text, reference.jsonKey);
}

/** One error whatever the reason: it tells nobody which secrets exist. */
function notUsable(names: readonly string[]): BulkheadError {
  const listed = names.join(", ");
  return new BulkheadError("INVALID_REQUEST", `Secrets that this project cannot use: ${listed}.`, {
    details: { issues: names.map((name) => ({ path: `secrets.${name}`, message: "cannot be used" })) },
  });
}

async function fetchSecrets(client: SecretsManagerClient, names: readonly string[]): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (let at = 0; at < names.length; at += batchSize) {
    await fetchBatch(client, names.slice(at, at + batchSize), found);
  }
  return found;
}

async function fetchBatch(client: SecretsManagerClient, names: string[], found: Map<string, Found>): Promise<void> {
  try {
    let NextToken: string | undefined;
    do {
      const answer = await client.send(new BatchGetSecretValueCommand({ SecretIdList: names, NextToken }));
      for (const { Name, SecretString } of answer.SecretValues ?? []) {
        if (Name === undefined) continue;
        found.set(Name, SecretString === undefined ? { refused: "a binary secret" } : { text: SecretString });
      }
      for (const { SecretId, ErrorCode } of answer.Errors ?? []) {
        if (ErrorCode === "InternalServiceError") throw new Error("a secret could not be read");
        if (SecretId !== undefined) found.set(SecretId, { refused: ErrorCode ?? "not given out" });
      }
      NextToken = answer.NextToken;
    } while (NextToken !== undefined);
  } catch (thrown) {
    throw serviceFailure(service, thrown);
  }
}

interface Recent {
  get(name: string): string | undefined;
  put(name: string, text: string): void;
}

const mostRecent = 256;

/** The last secrets read, for a moment, in memory only. */
function makeRecent(clock: Clock, keepMs: number): Recent {
  const kept = new Map<string, { readonly text: string; readonly until: number }>();
  return {
    get(name) {
      const one = kept.get(name);
      if (one !== undefined && one.until > clock.now()) return one.text;
      kept.delete(name);
      return undefined;
    },
    put(name, text) {
      kept.delete(name);
      const oldest = kept.size >= mostRecent ? kept.keys().next().value : undefined;
      if (oldest !== undefined) kept.delete(oldest);
      kept.set(name, { text, until: clock.now() + keepMs });
    },
  };
}
