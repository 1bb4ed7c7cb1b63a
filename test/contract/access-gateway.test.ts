import { readFile, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { toBulkheadError } from "#contracts/errors.ts";
import { makeAccessRules } from "#gateway/access.ts";
import { readCredential } from "#gateway/credentials.ts";
import { makeCachedDirectory } from "#gateway/directory-cache.ts";
import { parseRoute } from "#gateway/route.ts";
import { aTarget, makeTestClock, sandboxId, testKeys, testTokens } from "#test/unit/gateway/support.ts";
import { type MatrixRow, matrixText, withTable } from "./access/table.ts";

const revokedKey = "keyid0000009";
const tokens = {
  ...testTokens,
  /** `<sandbox id>/<generation>/<issuing key>`. */
  verify: async (token: string) => {
    const [, , issuedBy] = token.split("/");
    return { ...(await testTokens.verify(token)), ...(issuedBy !== undefined && { issuedBy }) };
  },
};
const keys = { ...testKeys, revoked: async (keyId: string) => keyId === revokedKey };

const callers: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  nothing: {},
  "a bad token": { authorization: "Bearer nonsense" },
  "another sandbox's token": { authorization: "Bearer 1763382095i648uu1obb/1" },
  "a token of before": { authorization: `Bearer ${sandboxId}/0` },
  "a revoked key's token": { authorization: `Bearer ${sandboxId}/1/${revokedKey}` },
  "its token": { authorization: `Bearer ${sandboxId}/1` },
  "a bad key": { "x-api-key": "hopx_live_nonsense" },
  "another project's key": { "x-api-key": "hopx_live_p2_use" },
  "a key that may only read": { "x-api-key": "hopx_live_p1_read" },
  "a key that may use": { "x-api-key": "hopx_live_p1_use" },
};

const routes = {
  "its agent, by the token": "/execute",
  "its agent, by its name": `/s/${sandboxId}/execute`,
  "its health, by its name": `/s/${sandboxId}/health`,
  "a port of it": `/p/${sandboxId}/8000/`,
  "the agent's own control routes": `/s/${sandboxId}/_bulkhead/freeze`,
};

const expected: Readonly<Record<keyof typeof routes, readonly string[]>> = {
  "its agent, by the token": ["401", "401", "404", "401", "401", "let in", "401", "401", "401", "401"],
  "its agent, by its name": ["401", "401", "403", "401", "401", "let in", "401", "404", "403", "let in"],
  "its health, by its name": ["let in", "401", "403", "401", "401", "let in", "401", "404", "403", "let in"],
  "a port of it": ["401", "401", "403", "401", "401", "let in", "401", "404", "403", "let in"],
  "the agent's own control routes": Array.from({ length: 10 }, () => "403"),
};

async function answerTo(url: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const clock = makeTestClock();
  const directory = { resolve: async (id: string) => (id === sandboxId ? aTarget() : undefined) };
  const rules = makeAccessRules({ tokens, keys, clock }, makeCachedDirectory(directory, clock, 1000), 60_000);
  try {
    const route = parseRoute("localhost", url, undefined);
    await rules.admit(route, readCredential(route, headers));
    return "let in";
  } catch (thrown) {
    return String(toBulkheadError(thrown).status);
  }
}

it("the gateway answers each caller as docs/access.md says", async () => {
  const rows: MatrixRow[] = [];
  for (const [route, url] of Object.entries(routes)) {
    const answers: Record<string, string> = {};
    for (const [caller, headers] of Object.entries(callers)) answers[caller] = await answerTo(url, headers);
    expect([route, Object.values(answers)]).toEqual([route, expected[route as keyof typeof routes]]);
    rows.push({ route, permission: "sandboxes:exec", answers });
  }
  const path = new URL("../../docs/access.md", import.meta.url);
  const text = await readFile(path, "utf8");
  const now = withTable(text, "gateway", matrixText(rows));
  if (process.env["BULKHEAD_UPDATE"] === "1") await writeFile(path, now);
  else expect(text).toBe(now);
});
