import { ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { capacityOf, keepCapacity, storedCapacity } from "#aws/capacity.ts";
import { readCapacity } from "#aws/service-quotas.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { failureOf, type JsonService, type ServiceAnswer, startJsonService } from "#test/support/json-service.ts";
import { openTestDatabase, type TestDatabase } from "./world.ts";

const started: JsonService[] = [];
afterEach(async () => {
  for (const service of started.splice(0)) await service.stop();
});

type Answers = Readonly<Record<string, ServiceAnswer>>;
const value = (Value: number): ServiceAnswer => ({ body: { Quota: { Value } } });

/** Service Quotas that answers by `operation code`; what is not named does not exist. */
async function read(answers: Answers, options: { readonly vcpu?: number; readonly spot?: boolean } = {}) {
  const service = await startJsonService(({ operation, body }) => {
    const { QuotaCode } = body as { QuotaCode: string };
    return answers[`${operation} ${QuotaCode}`] ?? failureOf("NoSuchResourceException");
  });
  started.push(service);
  const client = new ServiceQuotasClient(service.options);
  return readCapacity({ region: "us-east-1", client, vcpu: 0.5, clock: systemClock, logger: noopLogger, ...options });
}

const account = (code: string) => `GetServiceQuota ${code}`;
const usual = (code: string) => `GetAWSDefaultServiceQuota ${code}`;
const [vcpu, spotVcpu, groups, interfaces] = ["L-3032A538", "L-36FBB829", "L-E79EC296", "L-DF5E4CA3"];

describe("readCapacity", () => {
  it("is the least of all limits", async () => {
    const capacity = await read({
      [account(vcpu)]: value(100),
      [account(groups)]: value(130),
      [account(interfaces)]: value(5_000),
    });
    expect(capacity).toMatchObject({ instances: 100, boundBy: "Security groups per Region" });
    expect(capacity.limits).toEqual([
      { name: "Fargate On-Demand vCPU", value: 100, instances: 200, source: "account" },
      { name: "Security groups per Region", value: 130, instances: 100, source: "account" },
      { name: "Network interfaces per Region", value: 5_000, instances: 4_970, source: "account" },
      { name: "EFS access points per file system", value: 10_000, instances: 9_999, source: "documented" },
    ]);
  });

  it("counts vCPU by the size of an instance, on Spot where tasks run there", async () => {
    const answers = { [account(vcpu)]: value(6), [account(spotVcpu)]: value(9) };
    expect(await read(answers, { vcpu: 4 })).toMatchObject({ instances: 1, boundBy: "Fargate On-Demand vCPU" });
    expect(await read(answers, { vcpu: 4, spot: true })).toMatchObject({ instances: 2, boundBy: "Fargate Spot vCPU" });
  });

  it("takes AWS's default for an account without a value of its own", async () => {
    const { limits } = await read({ [usual(groups)]: value(2_500) });
    expect(limits[1]).toMatchObject({ value: 2_500, source: "default" });
  });

  it.each<[string, ServiceAnswer]>([
    ["are not ours to read", failureOf("AccessDeniedException")],
    ["are throttled", failureOf("TooManyRequestsException", 429)],
    ["are not reachable", null],
    ["have no value", { body: { Quota: {} } }],
  ])("says so when quotas %s, and takes what is documented", async (_name, answer) => {
    const codes = [vcpu, groups, interfaces];
    const answers = Object.fromEntries(
      codes.flatMap((code) => [account(code), usual(code)].map((one) => [one, answer])),
    );
    const { limits, instances } = await read(answers);
    expect(limits.map((limit) => [limit.value, limit.source])).toEqual([
      [6, "documented"],
      [2_500, "documented"],
      [5_000, "documented"],
      [10_000, "documented"],
    ]);
    expect(instances).toBe(12);
  });

  it("is never below zero", async () => {
    expect(await read({ [account(groups)]: value(5) })).toMatchObject({ instances: 0 });
  });
});

describe("the stored capacity", () => {
  const opened: { database?: TestDatabase } = {};
  beforeAll(async () => {
    opened.database = await openTestDatabase();
  });
  afterAll(() => opened.database?.close());

  it("is read once an hour, by whoever asks first, and shown to all", async () => {
    if (opened.database === undefined) throw new Error("the database is not open");
    const { client, table, clock } = await opened.database.makeWorld();
    const deps = { client, table, clock, logger: noopLogger };
    const capacity = (instances: number) => {
      const limit = { name: "x", value: 10, instances, source: "default" } as const;
      return capacityOf([{ ...limit, name: "y", instances: instances + 1 }, limit], clock.now());
    };
    expect(await storedCapacity(deps)).toBeUndefined();
    const first = await keepCapacity(deps, async () => capacity(7));
    expect(first).toMatchObject({ instances: 7, boundBy: "x" });
    await clock.advance(3_599_000);
    const unread = () => Promise.reject(new Error("read too often"));
    expect(await keepCapacity(deps, unread)).toEqual(first);
    await clock.advance(1_000);
    expect(await keepCapacity(deps, async () => capacity(9))).toMatchObject({ instances: 9 });
    expect(await storedCapacity(deps)).toMatchObject({ instances: 9, readAt: clock.now() });
  });
});
