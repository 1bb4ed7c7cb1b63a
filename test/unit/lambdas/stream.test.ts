import { marshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, it } from "vitest";
import { type StreamRecord, tableChange } from "#aws/table-stream.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { anEndedSandbox, anInstance, aSandbox } from "#test/support/fixtures.ts";
import { eachChange } from "../../../lambdas/parts/each-record.ts";

const image = (kind: string, record: object) =>
  marshall({ ...record, pk: `${kind}#x`, sk: kind }, { removeUndefinedValues: true });
const instance = (changes: Parameters<typeof anInstance>[0]) => image("INSTANCE", anInstance(changes));
const starting = { state: "starting", providerId: null } as const;
const ttl = { principalId: "dynamodb.amazonaws.com", type: "Service" };

function record(eventName: StreamRecord["eventName"], before?: object, after?: object, who?: object): StreamRecord {
  return {
    eventName,
    ...(who !== undefined && { userIdentity: who }),
    dynamodb: {
      SequenceNumber: "7",
      ...(before !== undefined && { OldImage: before as never }),
      ...(after !== undefined && { NewImage: after as never }),
    },
  };
}

describe("a change of the table", () => {
  it.each([
    ["wanted", record("INSERT", undefined, instance(starting))],
    ["claimed", record("MODIFY", instance({ state: "warm" }), instance({ state: "claimed", sandboxId: "s" }))],
    ["instance-expired", record("REMOVE", instance({}), undefined, ttl)],
    ["sandbox-expired", record("REMOVE", image("SANDBOX", aSandbox()), undefined, ttl)],
  ])("is %s", (type, given) => {
    expect(tableChange(given)?.type).toBe(type);
  });

  it.each([
    ["a launched instance", record("INSERT", undefined, instance({ state: "starting", providerId: "arn" }))],
    ["a new version of a wanted one", record("MODIFY", instance(starting), instance(starting))],
    ["our own delete", record("REMOVE", instance({}), undefined, { principalId: "AIDA", type: "User" })],
    ["a delete that only says so", record("REMOVE", instance({}), undefined, { principalId: ttl.principalId })],
    ["a tombstone's end", record("REMOVE", image("SANDBOX", anEndedSandbox()), undefined, ttl)],
    ["something else", record("INSERT", undefined, image("KEY", anInstance(starting)))],
    ["an unknown shape", record("INSERT", undefined, image("INSTANCE", { id: 7 }))],
    ["nothing", {}],
  ])("is none for %s", (_, given) => {
    expect(tableChange(given)).toBeNull();
  });

  it("is delivered again when acting on it failed, and only then", async () => {
    const records = [record("INSERT", undefined, instance(starting)), record("REMOVE", instance({}), undefined, ttl)];
    const answer = await eachChange(records, noopLogger, async (change) => {
      if (change.type === "wanted") throw new Error("no");
    });
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: "7" }] });
    expect(await eachChange(records, noopLogger, async () => {})).toEqual({ batchItemFailures: [] });
  });
});
