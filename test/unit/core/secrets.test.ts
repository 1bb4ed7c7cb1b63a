import { describe, expect, it } from "vitest";
import type { Scope } from "#contracts/access.ts";
import type { Principal } from "#core/model.ts";
import type { SecretStore } from "#core/ports.ts";
import { aContext, aPrincipal } from "#test/support/fixtures.ts";
import { makeWorld, outcomeOf } from "./world.ts";

const canary = "canary-93ac";
const facts = { name: "github", version: 1, createdAt: 0, updatedAt: 0 };

/** A platform with a store of its own, and what the store was asked. */
async function withStore() {
  const asked: (readonly string[])[] = [];
  const secrets: SecretStore = {
    async put(...args) {
      asked.push(["put", ...args]);
      return facts;
    },
    async list(...args) {
      asked.push(["list", ...args]);
      return [facts];
    },
    async remove(...args) {
      asked.push(["remove", ...args]);
      return args[1] === "github";
    },
  };
  const world = await makeWorld({}, { ports: (ports) => ({ ...ports, secrets }) });
  return { world, asked, service: world.platform.secrets };
}

const withScopes = (...scopes: Scope[]): Principal => ({ ...aPrincipal, scopes });

describe("secrets of the platform's own store", () => {
  it("are those of the caller's project, and every use is audited by name", async () => {
    const { world, asked, service } = await withStore();
    expect(await service.put(aPrincipal, "github", canary, aContext)).toEqual(facts);
    expect(await service.list(aPrincipal, aContext)).toEqual([facts]);
    await service.remove(aPrincipal, "github", aContext);
    expect(asked).toEqual([
      ["put", aPrincipal.projectId, "github", canary],
      ["list", aPrincipal.projectId],
      ["remove", aPrincipal.projectId, "github"],
    ]);
    expect(world.audited("secret.put")).toMatchObject([{ outcome: "allowed", target: "github" }]);
    expect(world.audited("secret.list")).toMatchObject([{ outcome: "allowed", target: null }]);
    expect(world.audited("secret.remove")).toMatchObject([{ outcome: "allowed", target: "github" }]);
    expect(JSON.stringify(world.stores.audit.events)).not.toContain(canary);
  });

  it("that are not there cannot be removed", async () => {
    const { world, service } = await withStore();
    expect(await outcomeOf(service.remove(aPrincipal, "gone", aContext))).toEqual({ code: "RESOURCE_NOT_FOUND" });
    expect(world.audited("secret.remove")).toMatchObject([{ outcome: "refused", target: "gone" }]);
  });

  it("are changed with scope manage, and listed with read", async () => {
    const { world, asked, service } = await withStore();
    for (const scopes of [["read"], ["use"]] as const) {
      const caller = withScopes(...scopes);
      expect(await outcomeOf(service.put(caller, "a", canary, aContext))).toMatchObject({ code: "FORBIDDEN" });
      expect(await outcomeOf(service.remove(caller, "a", aContext))).toMatchObject({ code: "FORBIDDEN" });
    }
    expect(asked).toEqual([]);
    expect(await service.list(withScopes("read"), aContext)).toEqual([facts]);
    expect(world.audited("secret.put")).toMatchObject([{ outcome: "refused" }, { outcome: "refused" }]);
    expect(JSON.stringify(world.stores.audit.events)).not.toContain(canary);
  });

  it("are none where a cloud has them, and the answer says how to make one there", async () => {
    const { platform } = await makeWorld();
    const refused = platform.secrets.put(aPrincipal, "github", canary, aContext);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(refused).rejects.toThrow(/Secrets Manager/);
    await expect(refused).rejects.not.toThrow(canary);
    expect(await outcomeOf(platform.secrets.list(aPrincipal, aContext))).toEqual({ code: "INVALID_REQUEST" });
    expect(await outcomeOf(platform.secrets.remove(aPrincipal, "a", aContext))).toEqual({ code: "INVALID_REQUEST" });
  });
});
