import { createPublicKey } from "node:crypto";
import type { ChainedEvent, Checkpoint } from "../ports.ts";
import { isSigned } from "./checkpoint.ts";
import { type ChainHead, genesis, linkHash } from "./link.ts";

/** What is wrong with a record, and where. */
export interface Finding {
  readonly kind: "changed" | "removed" | "inserted" | "reordered" | "checkpoint";
  readonly seq: number;
  /** Of a range: the last one that is concerned. */
  readonly through?: number;
  readonly what: string;
}

export interface ChainVerdict {
  readonly ok: boolean;
  readonly count: number;
  readonly head: ChainHead;
  readonly checkpoints: number;
  /** Up to here a checkpoint says what was; 0: nowhere. */
  readonly signedThrough: number;
  /** The first hundred. */
  readonly findings: readonly Finding[];
}

export interface ChainVerifier {
  next(record: ChainedEvent): void;
  end(): ChainVerdict;
}

export interface VerifyOptions {
  /** Where the record begins. @default 1 */
  readonly fromSeq?: number;
  readonly checkpoints?: readonly Checkpoint[];
  /** Of the deployment's audit key, from where it was kept: one that came with the record proves nothing. @default - no checkpoint counts */
  readonly publicKeyPem?: string | undefined;
  /** Whether a record that no checkpoint covers is one that does not hold. @default false */
  readonly signed?: boolean;
  /** Whose it is. @default - whoever's */
  readonly projectId?: string;
}

const maxFindings = 100;
/** How far a place may have been renumbered for its record still to be recognized. */
const shifts = [0, -1, 1, -2, 2, -3, 3];

/**
 * Reads a chain once, in the order in which it was kept. Each record proves itself by its hash, which covers its place; what is missing,
 * doubled or out of order is told by places; what was made anew as a whole is told by checkpoints that were signed before.
 */
export function makeChainVerifier(options: VerifyOptions = {}): ChainVerifier {
  const findings: Finding[] = [];
  const find = (finding: Finding) => {
    if (findings.length < maxFindings) findings.push(finding);
  };
  const signed = checkedCheckpoints(options, find);
  const missing = new Set<number>();
  const fromSeq = options.fromSeq ?? 1;
  let count = 0;
  let expected = fromSeq;
  /** Hashes that the next one may continue; none: unknown. */
  let continued: readonly string[] = fromSeq === 1 ? [genesis] : [];
  let rivals: readonly { readonly hash: string; readonly at: number }[] = [];
  let hash = genesis;

  function accept(record: ChainedEvent, seq: number): void {
    settleRivals(record.prev);
    for (let gap = expected; gap < seq && missing.size < 1_000_000; gap += 1) missing.add(gap);
    if (seq === expected && continued.length > 0 && !continued.includes(record.prev)) {
      find({
        kind: "changed",
        seq: seq - 1,
        what: `record ${seq} continues another record ${seq - 1} than the one here`,
      });
    }
    expected = seq + 1;
    hash = record.hash;
    continued = [record.hash];
    rivals = [{ hash: record.hash, at: count }];
    const checkpoint = signed.get(seq);
    if (checkpoint !== undefined && checkpoint.hash !== record.hash) {
      find({
        kind: "checkpoint",
        seq,
        what: `the checkpoint signed at ${new Date(checkpoint.at).toISOString()} knows another record ${seq}: everything up to it may have been made anew`,
      });
    }
  }

  /** Two with one place: the one that what follows does not continue was put in. */
  function settleRivals(prev: string | null): void {
    if (rivals.length < 2) return;
    const right = rivals.find((rival) => rival.hash === prev) ?? rivals[0];
    for (const rival of rivals) {
      if (rival === right) continue;
      find({
        kind: "inserted",
        seq: expected - 1,
        what: `record ${expected - 1} is there twice; number ${rival.at} in the file is not the chain's`,
      });
    }
    rivals = [];
  }

  function late(record: ChainedEvent, seq: number): void {
    if (missing.delete(seq))
      find({ kind: "reordered", seq, what: `record ${seq} stands after record ${expected - 1}` });
    else if (seq === expected - 1) {
      rivals = [...rivals, { hash: record.hash, at: count }];
      continued = rivals.map((rival) => rival.hash);
    } else
      find({
        kind: "inserted",
        seq,
        what: `record ${seq} is there twice; number ${count} in the file is not the chain's`,
      });
  }

  return {
    next(record) {
      count += 1;
      if (options.projectId !== undefined && record.event.projectId !== options.projectId) {
        find({ kind: "inserted", seq: record.seq, what: `record ${record.seq} is of another project` });
      }
      const seq = placeOf(record);
      if (seq === undefined) {
        find({ kind: "changed", seq: record.seq, what: `record ${record.seq} is not what its hash was made of` });
        continued = [];
        if (record.seq >= expected) {
          for (let gap = expected; gap < record.seq && missing.size < 1_000_000; gap += 1) missing.add(gap);
          expected = record.seq + 1;
          continued = [record.hash];
          hash = record.hash;
        } else missing.delete(record.seq);
        return;
      }
      if (seq >= expected) accept(record, seq);
      else late(record, seq);
    },
    end() {
      settleRivals(null);
      for (const [seq, through] of ranges(missing)) find(removed(seq, through));
      let last = 0;
      for (const seq of signed.keys()) last = Math.max(last, seq);
      if (options.signed === true && count > 0 && signed.size === 0) {
        find({
          kind: "checkpoint",
          seq: expected - 1,
          what: "no checkpoint of this key covers the record: it may have been made anew as a whole",
        });
      }
      if (last >= expected) find(removed(expected, last));
      findings.sort((a, b) => a.seq - b.seq);
      const head = { seq: expected - 1, hash };
      return { ok: findings.length === 0, count, head, checkpoints: signed.size, signedThrough: last, findings };
    },
  };
}

const removed = (seq: number, through: number): Finding => ({
  kind: "removed",
  seq,
  through,
  what: seq === through ? `record ${seq} is missing` : `records ${seq} to ${through} are missing`,
});

/** The place that a record was hashed with, which may not be the one it says. */
function placeOf(record: ChainedEvent): number | undefined {
  for (const shift of shifts) {
    const seq = record.seq + shift;
    if (linkHash(record.prev, seq, record.event) === record.hash) return seq;
  }
  return undefined;
}

function checkedCheckpoints(
  { checkpoints = [], publicKeyPem, projectId }: VerifyOptions,
  find: (finding: Finding) => void,
): ReadonlyMap<number, Checkpoint> {
  const signed = new Map<number, Checkpoint>();
  if (publicKeyPem === undefined) return signed;
  const key = createPublicKey(publicKeyPem);
  for (const checkpoint of checkpoints) {
    const foreign = projectId !== undefined && checkpoint.projectId !== projectId;
    if (!foreign && isSigned(checkpoint, key)) signed.set(checkpoint.seq, checkpoint);
    else
      find({
        kind: "checkpoint",
        seq: checkpoint.seq,
        what: `the checkpoint at record ${checkpoint.seq} is not signed by this key`,
      });
  }
  return signed;
}

function ranges(numbers: ReadonlySet<number>): readonly (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found;
}
