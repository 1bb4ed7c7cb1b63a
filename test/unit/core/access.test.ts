import { describe, expect, it } from "vitest";
import { permissions, permissionsOf, roleNames } from "#contracts/access.ts";
import { type Caller, requireAccess } from "#core/access.ts";

const caller = (change: Partial<Caller> = {}): Caller => ({
  projectId: "p1",
  scopes: ["admin"],
  environment: null,
  ...change,
});
const code = (run: () => void): string => {
  try {
    run();
    return "allowed";
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
};
const sandbox = (owner: { projectId: string; environment?: "dev" | "prod" | null } | undefined) =>
  ({ kind: "sandbox", id: "1800000000abcdefghij", owner }) as const;

describe("the one function that decides", () => {
  it("lets each role do what a weaker one may, and each permission by its own name or its area's", () => {
    for (const [index, role] of roleNames.entries()) {
      const weaker = permissionsOf(roleNames.slice(0, index));
      expect([...weaker].filter((permission) => !permissionsOf([role]).has(permission))).toEqual([]);
    }
    for (const permission of permissions) {
      const area = permission.slice(0, permission.indexOf(":"));
      expect(code(() => requireAccess(caller({ scopes: [permission] }), permission))).toBe("allowed");
      expect(code(() => requireAccess(caller({ scopes: [`${area}:*` as never] }), permission))).toBe("allowed");
      expect(code(() => requireAccess(caller({ scopes: [] }), permission))).toBe("FORBIDDEN");
    }
  });

  it("does not tell another project's from what never was", () => {
    for (const owner of [undefined, { projectId: "p2" }]) {
      expect(code(() => requireAccess(caller(), "sandboxes:read", sandbox(owner)))).toBe("SANDBOX_NOT_FOUND");
    }
    expect(code(() => requireAccess(caller({ scopes: ["read"] }), "sandboxes:kill", sandbox(undefined)))).toBe(
      "FORBIDDEN",
    );
  });

  it("keeps environments apart, and lets those of none be everybody's", () => {
    const dev = caller({ environment: "dev" });
    expect(code(() => requireAccess(dev, "sandboxes:read", sandbox({ projectId: "p1", environment: "prod" })))).toBe(
      "SANDBOX_NOT_FOUND",
    );
    expect(code(() => requireAccess(dev, "sandboxes:read", sandbox({ projectId: "p1", environment: "dev" })))).toBe(
      "allowed",
    );
    expect(code(() => requireAccess(dev, "sandboxes:read", sandbox({ projectId: "p1", environment: null })))).toBe(
      "allowed",
    );
    expect(
      code(() => requireAccess(caller(), "sandboxes:read", sandbox({ projectId: "p1", environment: "prod" }))),
    ).toBe("allowed");
  });

  it("holds the holder of a token to its sandbox", () => {
    const own = { projectId: "p1" };
    const token = caller({ scopes: ["sandboxes:exec"], only: "1800000000zzzzzzzzzz" });
    expect(code(() => requireAccess(token, "sandboxes:exec", sandbox(own)))).toBe("SANDBOX_NOT_FOUND");
    expect(code(() => requireAccess({ ...token, only: sandbox(own).id }, "sandboxes:exec", sandbox(own)))).toBe(
      "allowed",
    );
  });
});
