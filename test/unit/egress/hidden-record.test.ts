import { describe, expect, it } from "vitest";
import { makeSecretMemory } from "#core/delivered-secrets.ts";
import type { EgressRow } from "#core/model.ts";
import { hideInRecord, rememberUsed } from "#egress/hidden-record.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";
import { anEgressRow } from "#test/support/fixtures.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

const canary = "Canary0123456789abcdef";

describe("the egress record", () => {
  it("holds no value of its project's secrets, and everything else", () => {
    const memory = makeSecretMemory(makeSecretValues(), makeVirtualClock());
    memory.remember({ id: "s1", projectId: "p1" }, { TOKEN: canary });
    const rows: EgressRow[] = [];
    const recorder = hideInRecord({ record: (row: EgressRow) => void rows.push(row), flush: () => true }, memory);
    const row = anEgressRow({
      projectId: "p1",
      host: `${canary.toLowerCase()}.evil.example`,
      method: canary,
      rule: `host ${canary}`,
      reason: `no address for ${canary.toLowerCase()}.evil.example`,
      secrets: ["TOKEN"],
    });
    recorder.record(row);
    recorder.record({ ...row, projectId: "p2" });
    recorder.record({ ...row, projectId: null });
    const hidden = {
      ...row,
      host: "[secret TOKEN].evil.example",
      method: "[secret TOKEN]",
      rule: "host [secret TOKEN]",
      reason: "no address for [secret TOKEN].evil.example",
    };
    expect(rows).toEqual([hidden, { ...row, projectId: "p2" }, { ...hidden, projectId: null }]);
    expect(recorder.flush()).toBe(true);
  });

  it("knows a brokered value from its first use on", async () => {
    const memory = makeSecretMemory(makeSecretValues(), makeVirtualClock());
    const source = rememberUsed({ value: () => Promise.resolve(canary) }, memory);
    expect(memory.hide(canary)).toBe(canary);
    expect(await source.value("p1", "vendor#key")).toBe(canary);
    expect(memory.hide(canary)).toBe("[secret vendor#key]");
  });
});
