import { describe, expect, it } from "vitest";
import { egressListSchema } from "#contracts/control/egress.ts";
import { anEgressRow, startOfTime } from "#test/support/fixtures.ts";
import { makeHarness, principal } from "./fake-control-plane.ts";

describe("GET /v1/egress", () => {
  it("answers with rows as the contract has them", async () => {
    const open = anEgressRow({ state: "open", endedAt: null, inside: null });
    const { call } = makeHarness({ egress: { list: async () => ({ items: [open, anEgressRow()], nextCursor: "n" }) } });
    const answer = await call("GET", "/v1/egress");
    expect(answer.status).toBe(200);
    const body = egressListSchema.strict().parse(await answer.json());
    expect(body).toMatchObject({ has_more: true, next_cursor: "n", data: [{ state: "open", duration_ms: null }, {}] });
    expect(body.data[1]).toMatchObject({
      started_at: "2027-01-15T08:00:00.000Z",
      ended_at: "2027-01-15T08:00:00.010Z",
      duration_ms: 10,
      sandbox_id: "1800000000abcdefghij",
      bytes_in: 100,
      bytes_out: 50,
      policy_version: 1,
    });
  });

  it("hands the filters on, for the caller's project", async () => {
    const { call, calls } = makeHarness();
    const query =
      "sandbox=s1&host=API.Example.com.&decision=deny&state=closed&since=2027-01-15T08:00:00Z&until=1800000001000&limit=5000&cursor=c";
    expect((await call("GET", `/v1/egress?${query}`)).status).toBe(200);
    expect(calls.at(-1)).toMatchObject({
      name: "egress.list",
      args: [
        principal,
        {
          ...{ sandboxId: "s1", host: "api.example.com", decision: "deny", state: "closed", cursor: "c", limit: 1000 },
          ...{ since: startOfTime, until: startOfTime + 1000 },
        },
        { sourceIp: null },
      ],
    });
    await call("GET", "/v1/egress?sandbox=&since=");
    expect(calls.at(-1)?.args[1]).toEqual({
      ...{
        limit: 100,
        cursor: null,
        sandboxId: null,
        host: null,
        decision: null,
        state: null,
        since: null,
        until: null,
      },
    });
  });

  it.each(["limit=0", "since=yesterday", "decision=maybe", "state=gone"])("refuses %s", async (query) => {
    const { call } = makeHarness();
    const answer = await call("GET", `/v1/egress?${query}`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: "INVALID_REQUEST",
      details: { issues: [{ path: query.split("=")[0] }] },
    });
  });
});
