import { expect, it } from "vitest";
import { anEgressRow, startOfTime } from "#test/support/fixtures.ts";
import { makeLineJournal } from "../../../src/edge/egress-proxy/decision-lines.ts";

it("has a line in the log for each row, and counts the refused", () => {
  const lines: string[] = [];
  const counted: string[] = [];
  const journal = makeLineJournal((line) => void lines.push(line), { count: (name) => void counted.push(name) });
  const row = anEgressRow({ endedAt: startOfTime });
  const refused = anEgressRow({ decision: "deny", address: null, reason: "a reason\nof two lines" });
  expect([journal.write(row), journal.write(refused)]).toEqual([1, 2]);
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
    { type: "egress", at: "2027-01-15T08:00:00.000Z", ...row },
    expect.objectContaining({ decision: "deny", reason: "a reason\nof two lines" }),
  ]);
  expect(lines.join("")).not.toContain("\n");
  expect(counted).toEqual(["EgressDenied"]);
});
