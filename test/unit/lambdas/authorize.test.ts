import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { aPrincipal } from "#test/support/fixtures.ts";
import { authorize } from "../../../lambdas/authorizer/authorize.ts";

const known = "hopx_live_abc.def";
const authenticate = async (rawKey: string) => {
  if (rawKey === "broken") throw new BulkheadError("SERVICE_UNAVAILABLE", "database away");
  if (rawKey !== known) throw new BulkheadError("INVALID_API_KEY", "Unknown API key.");
  return aPrincipal;
};

describe("the authorizer function", () => {
  it.each([{ "x-api-key": known }, { authorization: `Bearer ${known}` }, { authorization: `bearer ${known}` }])(
    "lets the holder of a key through as its principal: %o",
    async (headers) => {
      expect(await authorize({ headers }, authenticate)).toEqual({
        isAuthorized: true,
        context: { projectId: "p1", keyId: "keyid0000001", scopes: "admin" },
      });
    },
  );

  it.each([{}, { headers: {} }, { headers: { "x-api-key": "wrong" } }])(
    "refuses %o and says nothing more",
    async (event) => {
      expect(await authorize(event, authenticate)).toEqual({ isAuthorized: false, context: {} });
    },
  );

  it("fails loudly when it cannot know, so that nothing wrong is cached", async () => {
    await expect(authorize({ headers: { "x-api-key": "broken" } }, authenticate)).rejects.toThrow("database away");
  });
});
