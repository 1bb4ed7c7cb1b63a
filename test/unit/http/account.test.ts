import { describe, expect, it } from "vitest";
import { z } from "zod";
import { aSandbox, makeHarness } from "./fake-control-plane.ts";

const account = { organization: "Acme", maxSandboxes: 7 };

async function asked(method: string, path: string, items = [aSandbox(), aSandbox({ status: "stopped" })]) {
  let calls = 0;
  const { call } = makeHarness(
    {
      sandboxes: {
        async list() {
          calls += 1;
          return { items, nextCursor: calls === 1 ? "more" : null };
        },
      },
    },
    { account },
  );
  const answer = await call(method, path, method === "GET" ? {} : { body: {} });
  return { status: answer.status, body: z.record(z.string(), z.unknown()).parse(await answer.json()) };
}

describe("account routes", () => {
  it("are served where a deployment enables them, and not elsewhere", async () => {
    const { call } = makeHarness();
    expect((await call("GET", "/auth/usage")).status).toBe(404);
    expect((await asked("GET", "/auth/organization")).body).toMatchObject({ name: "Acme", plan_id: "self-hosted" });
  });

  it("tell what is in use, over all pages: of a stopped one its disk only", async () => {
    const { body } = await asked("GET", "/auth/usage");
    expect(body).toMatchObject({
      limits: { max_concurrent_sandboxes: 7 },
      current_usage: { active_sandboxes: 4, total_vcpu: 4, total_memory_mb: 2048, total_disk_gb: 8 },
    });
  });

  it.each([
    ["/auth/me", "user_id"],
    ["/auth/members", "data"],
    ["/auth/user/organizations", "data"],
    ["/auth/plans", "plans"],
    ["/auth/usage/history/sandboxes?days=7", "data"],
    ["/auth/billing/credit/balance", "message"],
    ["/auth/billing/history?limit=5", "transactions"],
    ["/auth/billing/invoices", "invoices"],
    ["/auth/billing/auto-recharge", "enabled"],
  ])("%s answers with what the command line reads", async (path, field) => {
    const { status, body } = await asked("GET", path);
    expect(status).toBe(200);
    expect(body).toHaveProperty(field);
  });

  it.each([
    ["PUT", "/auth/organization"],
    ["PUT", "/auth/profile"],
    ["POST", "/auth/members/invite"],
    ["DELETE", "/auth/members/1"],
    ["POST", "/auth/workos-callback"],
    ["POST", "/auth/refresh"],
  ])("%s %s is refused, with what to do instead", async (method, path) => {
    const { status, body } = await asked(method, path);
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: "CONFLICT" });
    expect(body["message"]).toContain("/auth/api-keys");
  });
});
