import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundedDetails, fitting } from "#core/audit-chain/bounds.ts";
import { canonicalJson } from "#core/audit-chain/canonical.ts";
import { type AuditSigner, signCheckpoint } from "#core/audit-chain/checkpoint.ts";
import { chain, emptyHead, linkHash } from "#core/audit-chain/link.ts";
import { makeChainVerifier, type VerifyOptions } from "#core/audit-chain/verify.ts";
import type { ChainedEvent } from "#core/ports.ts";
import { anAuditEvent } from "../../support/fixtures.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicKeyPem = publicKey.export({ type: "spki", format: "pem" }).toString();
const signer: AuditSigner = {
  sign: async (bytes) => sign("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" }),
  publicKeyPem: async () => publicKeyPem,
};
const chainOf = (length: number): ChainedEvent[] => [
  ...chain(
    emptyHead,
    Array.from({ length }, (_, index) => anAuditEvent({ id: `e${index}`, details: { b: index, a: "ä" } })),
  ),
];
function verdict(records: readonly ChainedEvent[], options: VerifyOptions = {}) {
  const verifier = makeChainVerifier(options);
  for (const record of records) verifier.next(record);
  return verifier.end();
}
const found = (records: readonly ChainedEvent[], options: VerifyOptions = {}) =>
  verdict(records, options).findings.map(({ kind, seq, through }) => [
    kind,
    seq,
    ...(through === undefined || through === seq ? [] : [through]),
  ]);
const checkpointAt = (records: readonly ChainedEvent[], seq: number) =>
  signCheckpoint(signer, { projectId: "p1", seq, hash: records[seq - 1]?.hash ?? "", at: 1 });
const changed = (record: ChainedEvent): ChainedEvent => ({
  ...record,
  event: { ...record.event, actor: "somebody else" },
});
const rehashed = (record: ChainedEvent): ChainedEvent => ({
  ...record,
  hash: linkHash(record.prev, record.seq, record.event),
});

describe("an audit chain", () => {
  it("holds together as it was made, whole or from somewhere on", async () => {
    const records = chainOf(50);
    const checkpoints = [await checkpointAt(records, 20), await checkpointAt(records, 50)];
    expect(verdict(records, { checkpoints, publicKeyPem })).toMatchObject({
      ok: true,
      count: 50,
      checkpoints: 2,
      head: { seq: 50, hash: records[49]?.hash },
    });
    expect(verdict(records.slice(20), { fromSeq: 21 })).toMatchObject({ ok: true, count: 30 });
    expect(verdict([])).toMatchObject({ ok: true, count: 0 });
  });

  const places = fc.integer({ min: 2, max: 28 });

  it("says which record was changed, also when its hash was made anew", () => {
    fc.assert(
      fc.property(places, (seq) => {
        const records = chainOf(30);
        const forged = changed(records[seq - 1] as ChainedEvent);
        expect(found(records.with(seq - 1, forged))).toEqual([["changed", seq]]);
        expect(found(records.with(seq - 1, rehashed(forged)))).toEqual([["changed", seq]]);
      }),
    );
  });

  it("says which records were removed, also when the others were numbered anew", () => {
    fc.assert(
      fc.property(places, (seq) => {
        const records = chainOf(30);
        const rest = records.toSpliced(seq - 1, 1);
        expect(found(rest)).toEqual([["removed", seq]]);
        expect(found(rest.map((record, index) => ({ ...record, seq: index + 1 })))).toEqual([["removed", seq]]);
      }),
    );
    expect(found(chainOf(30).toSpliced(4, 10))).toEqual([["removed", 5, 14]]);
    expect(found(chainOf(30).slice(3))).toEqual([["removed", 1, 3]]);
  });

  it("says at which place one was put in, also when the others were numbered anew", () => {
    fc.assert(
      fc.property(places, (seq) => {
        const records = chainOf(30);
        const before = records[seq - 2] as ChainedEvent;
        const forged = rehashed({ seq, prev: before.hash, hash: "", event: anAuditEvent({ id: "forged" }) });
        const more = records.toSpliced(seq - 1, 0, forged);
        expect(found(more)).toEqual([["inserted", seq]]);
        expect(found(more.map((record, index) => ({ ...record, seq: index + 1 })))).toEqual([["inserted", seq]]);
      }),
    );
  });

  it("says which ones were put in another order", () => {
    fc.assert(
      fc.property(places, (seq) => {
        const records = chainOf(30);
        const [one, other] = [records[seq - 1] as ChainedEvent, records[seq] as ChainedEvent];
        expect(found(records.with(seq - 1, other).with(seq, one))).toEqual([["reordered", seq]]);
      }),
    );
  });

  it("is compared with what was signed: an end that is gone, a chain that was made anew", async () => {
    const records = chainOf(30);
    const checkpoints = [await checkpointAt(records, 30)];
    expect(found(records.slice(0, 25), { checkpoints, publicKeyPem })).toEqual([["removed", 26, 30]]);
    const anew = [
      ...chain(
        emptyHead,
        records.map(({ event }, index) => (index === 3 ? { ...event, actor: "me" } : event)),
      ),
    ];
    expect(found(anew, { publicKeyPem })).toEqual([]);
    expect(found(anew, { checkpoints, publicKeyPem })).toEqual([["checkpoint", 30]]);
    const foreign = checkpoints.map((checkpoint) => ({ ...checkpoint, hash: anew[29]?.hash ?? "" }));
    expect(found(anew, { checkpoints: foreign, publicKeyPem })).toEqual([["checkpoint", 30]]);
  });
});

describe("a record that is shown", () => {
  it("does not hold without a checkpoint of the key where one is wanted, nor as another project's", async () => {
    const records = chainOf(5);
    const signed = { signed: true, publicKeyPem };
    expect(found(records, signed)).toEqual([["checkpoint", 5]]);
    expect(found(records, { ...signed, checkpoints: [await checkpointAt(records, 3)] })).toEqual([]);
    expect(verdict(records, { ...signed, checkpoints: [await checkpointAt(records, 3)] }).signedThrough).toBe(3);
    expect(found(records, { projectId: "p2" })).toHaveLength(5);
  });

  it("may have more checkpoints than a call takes arguments", () => {
    const records = chainOf(2);
    const foreign = { projectId: "p1", seq: 1, hash: "", at: 1, keyId: "", signature: "" };
    const checkpoints = Array.from({ length: 200_000 }, () => foreign);
    expect(() => verdict(records, { checkpoints })).not.toThrow();
  });
});

describe("bounds", () => {
  it("keep details small, and say what was left out", () => {
    expect(boundedDetails({ a: 1 }, "refused")).toEqual({ a: 1 });
    const big = boundedDetails({ policy: { rules: "x".repeat(900_000) }, mode: "deny-all" }, "allowed");
    expect(big).toMatchObject({ mode: "deny-all", omittedDetails: ["policy"] });
    const policy = { rules: "x".repeat(64_000) };
    expect(boundedDetails({ policy }, "allowed")).toEqual({ policy });
    expect(boundedDetails({ policy }, "refused")).toMatchObject({ omittedDetails: ["policy"] });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 2000 }), fc.string({ maxLength: 2000 })), (details) => {
        expect(Buffer.byteLength(canonicalJson(boundedDetails(details, "refused")))).toBeLessThan(9000);
      }),
    );
  });

  it("let so much into a segment as the database takes, and one at least", () => {
    const events = Array.from({ length: 600 }, (_, index) => ({ index, text: "x".repeat(index < 500 ? 10 : 8000) }));
    expect(fitting(events, 500)).toHaveLength(500);
    expect(JSON.stringify(fitting(events.slice(500), 500)).length).toBeLessThan(300_000);
    expect(fitting([{ text: "x".repeat(1_000_000) }], 500)).toHaveLength(1);
  });
});

describe("canonical JSON", () => {
  it("is one text for one value, whatever the order of its members", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    expect(canonicalJson({ b: 1, a: { d: undefined, c: [undefined] } })).toBe('{"a":{"c":[null]},"b":1}');
  });
});
