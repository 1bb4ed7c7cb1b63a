import { describe, expect, it } from "vitest";
import { makeSecretMemory } from "#core/delivered-secrets.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";
import { makeHarness } from "./fake-control-plane.ts";

const canary = "Canary-5ab0/+value";

function harnessOf(projectId: string) {
  const secretValues = makeSecretMemory(makeSecretValues(), makeVirtualClock());
  secretValues.remember({ id: "s1", projectId }, { TOKEN: canary });
  return makeHarness({}, {}, { secretValues });
}

const provocations: readonly (readonly [string, string, unknown?])[] = [
  ["GET", `/v1/sandboxes/${encodeURIComponent(canary)}`],
  ["GET", `/v1/templates/${encodeURIComponent(canary)}`],
  ["GET", `/v1/none/${encodeURIComponent(canary)}`],
  ["POST", "/v1/sandboxes", { template_name: "base", network: { mode: canary, rules: [{ host: canary }] } }],
  ["GET", `/v1/sandboxes?status=${encodeURIComponent(canary)}`],
];

describe("errors of the control plane", () => {
  it("hold no value of the caller's project, in whatever form the request had it", async () => {
    const { call } = harnessOf("p1");
    const texts: string[] = [];
    for (const [method, path, body] of provocations) {
      const answer = await call(method, path, { body });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      texts.push(await answer.text());
    }
    const all = texts.join("\n");
    for (const form of [canary, canary.toLowerCase(), encodeURIComponent(canary)]) expect(all).not.toContain(form);
    expect(all).toContain("[secret TOKEN]");
  });

  it("do not tell whether a text is another project's secret", async () => {
    const text = async (projectId: string) =>
      (await harnessOf(projectId).call("GET", `/v1/sandboxes/${encodeURIComponent(canary)}`)).text();
    expect(await text("p2")).toContain(canary);
    expect(await text("p1")).not.toContain(canary);
  });
});
