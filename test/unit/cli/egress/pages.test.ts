import { afterAll, beforeAll, expect, it } from "vitest";
import { answer, type FakePlatform, startFakePlatform } from "../fake-platform.ts";
import { aRow } from "./rows.ts";

let platform: FakePlatform;
beforeAll(async () => {
  platform = await startFakePlatform();
});
afterAll(() => platform.stop());

it("asks for a page and takes the time from the platform", async () => {
  const asked: string[] = [];
  platform.handlers.set("GET /v1/egress", (req, res) => {
    asked.push(req.url ?? "");
    res.setHeader("date", "Sun, 22 Nov 2026 12:00:05 GMT");
    const row = { ...aRow("c1"), later: "what a newer platform adds" };
    answer(res, 200, { object: "list", data: [row], has_more: true, next_cursor: "n" });
  });
  const { egress } = platform.connect();
  const page = await egress({ sandbox: "s1", host: "*.org", decision: "deny", since: 1.5 }, 10, "c+/");
  expect(page).toMatchObject({ next_cursor: "n", at: Date.UTC(2026, 10, 22, 12, 0, 5) });
  expect(page.data[0]).toHaveProperty("later");
  await egress({}, 1, null);
  expect(asked).toEqual([
    "/v1/egress?limit=10&sandbox=s1&host=*.org&decision=deny&since=1&cursor=c%2B%2F",
    "/v1/egress?limit=1",
  ]);
});

it("fails for an answer of another form", async () => {
  platform.handlers.set("GET /v1/egress", (_, res) => answer(res, 200, { data: [{}] }));
  await expect(platform.connect().egress({}, 1, null)).rejects.toThrow(/form this command does not know/);
});
