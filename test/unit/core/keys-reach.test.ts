import fc from "fast-check";
import { expect, it } from "vitest";
import { environments, permissions, permissionsOf, type Scope, scopes } from "#contracts/access.ts";
import { toBulkheadError } from "#contracts/errors.ts";
import { type AccessObject, requireAccess } from "#core/access.ts";
import { requireGivable } from "#core/keys/issue.ts";

const project = fc.constantFrom("p1", "p2", "p3");
const environment = fc.constantFrom(null, ...environments);
const someScopes = fc.uniqueArray(fc.constantFrom<Scope>(...scopes), { minLength: 1, maxLength: 4 });
const caller = fc.record({ projectId: project, keyId: fc.constant("k"), scopes: someScopes, environment });
const object = fc.record({
  kind: fc.constantFrom<AccessObject["kind"]>("sandbox", "key", "secret", "template", "webhook", "alert"),
  id: fc.constantFrom("one", "two"),
  owner: fc.option(fc.record({ projectId: project, environment }), { nil: undefined }),
});
const allowed = (attempt: () => void): boolean => {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
};

it("no key reaches what belongs to another project or environment, or does what its scopes do not say", () => {
  fc.assert(
    fc.property(caller, fc.constantFrom(...permissions), object, (who, permission, thing) => {
      const { owner } = thing;
      const own = owner?.projectId === who.projectId;
      // A key of no environment reaches all of them: only such a one reaches it.
      const everybodys = thing.kind !== "key" && owner?.environment === null;
      const near = who.environment === null || everybodys || owner?.environment === who.environment;
      const may = permissionsOf(who.scopes).has(permission) && own && near;
      expect(allowed(() => requireAccess(who, permission, thing))).toBe(may);
    }),
    { numRuns: 1000 },
  );
});

it("no key makes one that can do more, or that reaches further", () => {
  fc.assert(
    fc.property(caller, someScopes, environment, (maker, asked, where) => {
      const made = { name: "k", scopes: asked, environment: where };
      if (!allowed(() => requireGivable(maker, made))) return;
      const own = permissionsOf(maker.scopes);
      expect([...permissionsOf(asked)].filter((permission) => !own.has(permission))).toEqual([]);
      if (maker.environment !== null) expect(where).toBe(maker.environment);
    }),
    { numRuns: 1000 },
  );
});

it("what is not there and what is another's get the same answer", () => {
  const answer = (owner: AccessObject["owner"]) => {
    try {
      requireAccess({ projectId: "p1", scopes: ["admin"], environment: "dev" }, "keys:write", {
        kind: "key",
        id: "x",
        owner,
      });
      return undefined;
    } catch (error) {
      const { code, message, details } = toBulkheadError(error);
      return { code, message, details };
    }
  };
  expect(answer(undefined)).toBeDefined();
  for (const owner of [{ projectId: "p2" }, { projectId: "p1", environment: "prod" as const }]) {
    expect(answer(owner)).toEqual(answer(undefined));
  }
});
