import { describe, expect, it } from "vitest";
import { key, makeHarness, unknownId } from "./fake-control-plane.ts";

describe("what is refused before an operation could record itself", () => {
  it("is recorded: no key, a bad key, a malformed request, nothing at a path", async () => {
    const { app, noted } = makeHarness();
    const headers = { "X-API-Key": key };
    await app.request("/v1/sandboxes");
    await app.request("/v1/sandboxes", { headers: { "X-API-Key": "hopx_live_nonsense" } });
    await app.request("/v1/sandboxes", { method: "POST", headers, body: "{" });
    await app.request("/v1/nothing", { headers });
    expect(
      noted.map(([{ projectId, actor, action }, outcome, more]) => [projectId, actor, action, outcome, more?.["code"]]),
    ).toEqual([
      ["platform", "nobody", "auth.refuse", "refused", "AUTHENTICATION_REQUIRED"],
      ["platform", "nobody", "auth.refuse", "refused", "INVALID_API_KEY"],
      ["p1", "AbCdEf123456", "request.refuse", "refused", "INVALID_JSON"],
      ["p1", "AbCdEf123456", "request.refuse", "refused", "RESOURCE_NOT_FOUND"],
    ]);
  });

  it("is not recorded twice, nor is what was served", async () => {
    const { app, noted } = makeHarness();
    const headers = { "X-API-Key": key };
    await app.request("/health");
    await app.request("/v1/sandboxes", { headers });
    await app.request(`/v1/sandboxes/${unknownId}`, { headers });
    expect(noted).toEqual([]);
  });
});
