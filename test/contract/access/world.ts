import { type Environment, type Permission, permissions } from "#contracts/access.ts";
import { keyHash as hashOf } from "#core/keys/issue.ts";
import { makePlatform } from "#core/platform.ts";
import type { SecretStore } from "#core/ports.ts";
import { makeControlApp } from "#http/app.ts";
import { makeFakes } from "#test/support/fakes.ts";
import { aContext, aPrincipal, aTemplate } from "#test/support/fixtures.ts";
import { someConfig, someInput } from "#test/unit/core/world.ts";
import { inputsFor, type RouteInput } from "./inputs.ts";

/** The control plane as it is, on stores in memory, with everything that a route could name. */
export interface AccessWorld {
  readonly inputs: Readonly<Record<string, RouteInput>>;
  /** What a caller shows, by its name in the matrix. */
  readonly keys: Readonly<Record<Caller, string | null>>;
  /** A key that may do this alone, or everything but this. */
  key(permissions: readonly Permission[], environment?: Environment | null): Promise<string>;
  ask(
    method: string,
    input: RouteInput,
    key: string | null,
  ): Promise<{ readonly status: number; readonly code: string }>;
}

export const badCallers = ["no key", "malformed", "unknown", "expired", "revoked", "decoy", "sandbox token"] as const;
export type Caller = (typeof badCallers)[number] | "another project's" | "another environment's";

export async function makeAccessWorld(): Promise<AccessWorld> {
  const fakes = makeFakes();
  const { clock, stores } = fakes;
  await stores.templates.put(aTemplate());
  const platform = makePlatform(
    { ...someConfig, quotaPerProject: 10_000 },
    { ...fakes.ports, secrets: memorySecrets() },
  );
  const app = makeControlApp({
    platform,
    clock,
    logger: fakes.ports.logger,
    config: {
      organizationId: 1,
      publicHost: (id) => `https://${id}.example`,
      capacity: async () => ({ instances: 1, boundBy: "x", readAt: 0, limits: [] }),
    },
  });
  const make = async (change: object = {}, principal = aPrincipal) =>
    (await platform.keys.create(principal, { name: "k", scopes: ["admin"], ...change }, aContext)).key;
  const prod = { ...aPrincipal, environment: "prod" as const };
  const context = { ...aContext, idempotencyKey: null, bodyHash: "b", signal: new AbortController().signal };
  const { sandbox, token } = await platform.sandboxes.create(prod, someInput, context);
  const target = await platform.keys.create(prod, { name: "target", scopes: ["keys:write"] }, aContext);
  const revoked = await platform.keys.create(aPrincipal, { name: "revoked", scopes: ["admin"] }, aContext);
  await platform.keys.revoke(aPrincipal, revoked.record.id, aContext);
  const expired = await make({ expiresInSeconds: 1 });
  const decoy = await platform.keys.create(aPrincipal, { name: "decoy", scopes: ["admin"] }, aContext);
  await stores.keys.markUsed(decoy.record.id, 0);
  const stored = await stores.keys.get(decoy.record.id);
  await stores.keys.insert({ ...(stored ?? decoy.record), id: decoyId, hash: hashOf(decoyKey), decoyFor: sandbox.id });
  await clock.advance(10_000);
  return {
    inputs: inputsFor({ sandboxId: sandbox.id, keyId: target.record.id }),
    keys: {
      "no key": null,
      malformed: "hopx_live_nonsense",
      unknown: `hopx_live_${"z".repeat(12)}.${"z".repeat(43)}`,
      expired,
      revoked: revoked.key,
      decoy: decoyKey,
      "sandbox token": token.token,
      "another project's": await make({}, { ...aPrincipal, projectId: "p2" }),
      "another environment's": await make({ environment: "dev" }),
    },
    key: (granted, environment = null) => make({ scopes: granted, environment }),
    async ask(method, { path, body }, key) {
      // One wrong key after the other from one address: each waits for its turn.
      await clock.advance(2000);
      const answer = await app.request(path, {
        method,
        headers: key === null ? {} : { "X-API-Key": key },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const { code = "" } = answer.status < 400 ? {} : ((await answer.json()) as { code?: string });
      return { status: answer.status, code };
    },
  };
}

/** Everything but one. */
export const without = (permission: Permission): Permission[] => permissions.filter((each) => each !== permission);

const decoyId = "decoydecoy01";
const decoyKey = `hopx_live_${decoyId}.${"d".repeat(43)}`;

function memorySecrets(): SecretStore {
  const facts = { name: "vendor", createdAt: 0, updatedAt: 0, version: 1 };
  return {
    put: async () => facts,
    list: async () => [facts],
    remove: async (projectId) => projectId === aPrincipal.projectId,
  };
}
