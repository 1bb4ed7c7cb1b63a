import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { aPrincipal } from "#test/support/fixtures.ts";
import { authorize } from "../../../lambdas/authorizer/authorize.ts";

const known = "hopx_live_abc.def";
const methodArn = "arn:aws:execute-api:eu-west-1:123456789012:abc/v1/GET/sandboxes";
const authenticate = async (rawKey: string) => {
  if (rawKey === "broken") throw new BulkheadError("SERVICE_UNAVAILABLE", "database away");
  if (rawKey !== known) throw new BulkheadError("INVALID_API_KEY", "Unknown API key.");
  return aPrincipal;
};
const statement = (Effect: string) => ({
  Version: "2012-10-17",
  Statement: [{ Action: "execute-api:Invoke", Effect, Resource: methodArn }],
});

describe("the authorizer function", () => {
  it.each([{ "X-API-Key": known }, { "x-api-key": ` ${known} ` }, { Authorization: `Bearer ${known}` }])(
    "lets the holder of a key through as its principal, for this route only: %o",
    async (headers) => {
      expect((await authorize({ headers, methodArn }, authenticate)).answer).toEqual({
        principalId: "keyid0000001",
        policyDocument: statement("Allow"),
        context: { projectId: "p1", keyId: "keyid0000001", scopes: "admin" },
      });
    },
  );

  it.each([
    [null, "AUTHENTICATION_REQUIRED"],
    [{}, "AUTHENTICATION_REQUIRED"],
    [{ authorization: "Basic abc" }, "AUTHENTICATION_REQUIRED"],
    [{ "x-api-key": "wrong" }, "INVALID_API_KEY"],
  ])("refuses %o and says why: %s", async (headers, code) => {
    const { answer } = await authorize({ headers, methodArn }, authenticate);
    expect(answer).toMatchObject({ policyDocument: statement("Deny"), context: { code } });
    expect(JSON.stringify(answer)).not.toContain("wrong");
  });

  it("fails loudly when it cannot know, so that nothing wrong is remembered", async () => {
    const asked = authorize({ headers: { "x-api-key": "broken" }, methodArn }, authenticate);
    await expect(asked).rejects.toThrow("database away");
  });
});
