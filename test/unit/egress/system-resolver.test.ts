import { describe, expect, it } from "vitest";
import { makeSystemResolver } from "#egress/system-resolver.ts";

describe("system resolver", () => {
  it("asks two questions at a time, shares equal ones, and goes on after a failure", async () => {
    const pending: { host: string; answer(): void; fail(): void }[] = [];
    const resolver = makeSystemResolver(
      (host) =>
        new Promise((resolve, reject) => {
          pending.push({ host, answer: () => resolve([host]), fail: () => reject(new Error("ENOTFOUND")) });
        }),
    );
    const answers = ["a", "b", "c", "a"].map((host) => resolver.lookupAll(host));
    const settled = Promise.allSettled(answers);
    expect(pending.map((question) => question.host)).toEqual(["a", "b"]);
    pending[0]?.fail();
    await Promise.allSettled([answers[0]]);
    await Promise.resolve();
    expect(pending.map((question) => question.host)).toEqual(["a", "b", "c"]);
    pending[1]?.answer();
    pending[2]?.answer();
    expect((await settled).map((result) => result.status)).toEqual(["rejected", "fulfilled", "fulfilled", "rejected"]);
  });
});
