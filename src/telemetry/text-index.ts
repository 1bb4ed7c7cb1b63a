import { powersUpTo, sumOf, sumsOf } from "./rolling-sum.ts";

/** Characters that are looked up at each place of a text; no indexed text is shorter. */
export const windowLength = 8;

interface Indexed<T> {
  readonly text: string;
  readonly value: T;
}

/** All indexed texts that begin with the same window (or with one of the same sum). */
interface Bucket<T> {
  /** Of the texts in it, each once, longest first. */
  readonly lengths: number[];
  /** How many texts there are of each length. */
  readonly counts: Map<number, number>;
  /** By the sum of the whole text. */
  readonly bySum: Map<number, Indexed<T>[]>;
}

/** Texts that are searched for together. The time of a search does not depend on how many there are. */
export interface TextIndex<T> {
  get(text: string): T | undefined;
  set(text: string, value: T): void;
  delete(text: string): void;
  /**
   * Replaces what it finds, from left to right and at each place the longest first.
   * @param replacement undefined: this one stays, a shorter one may be found there
   */
  replace(text: string, replacement: (value: T) => string | undefined): string;
}

export function makeTextIndex<T>(): TextIndex<T> {
  const buckets = new Map<number, Bucket<T>>();
  let powers = powersUpTo(256);

  const place = (text: string) => {
    if (text.length >= powers.length) powers = powersUpTo(text.length * 2);
    const sums = sumsOf(text);
    return { first: sums[windowLength] ?? 0, whole: sums[text.length] ?? 0 };
  };
  const find = (text: string) => {
    const { first, whole } = place(text);
    return buckets
      .get(first)
      ?.bySum.get(whole)
      ?.find((one) => one.text === text);
  };

  function longestAt(
    text: string,
    sums: Int32Array,
    at: number,
    bucket: Bucket<T>,
    replacement: (value: T) => string | undefined,
  ) {
    for (const length of bucket.lengths) {
      if (at + length > text.length) continue;
      const sum = sumOf(sums, powers, at, length);
      for (const one of bucket.bySum.get(sum) ?? []) {
        const put = one.text.length === length && text.startsWith(one.text, at) ? replacement(one.value) : undefined;
        if (put !== undefined) return { put, length };
      }
    }
    return undefined;
  }

  function remove(text: string): void {
    const { first, whole } = place(text);
    const bucket = buckets.get(first);
    const all = bucket?.bySum.get(whole);
    if (bucket === undefined || all?.some((one) => one.text === text) !== true) return;
    const left = all.filter((one) => one.text !== text);
    if (left.length > 0) bucket.bySum.set(whole, left);
    else bucket.bySum.delete(whole);
    count(bucket, text.length, -1);
    if (bucket.lengths.length === 0) buckets.delete(first);
  }

  return {
    get: (text) => find(text)?.value,
    set(text, value) {
      if (text.length < windowLength) throw new Error(`indexed texts have at least ${windowLength} characters`);
      remove(text);
      const { first, whole } = place(text);
      const bucket: Bucket<T> = buckets.get(first) ?? { lengths: [], counts: new Map(), bySum: new Map() };
      buckets.set(first, bucket);
      bucket.bySum.set(whole, [...(bucket.bySum.get(whole) ?? []), { text, value }]);
      count(bucket, text.length, 1);
    },
    delete: remove,
    replace(text, replacement) {
      if (buckets.size === 0 || text.length < windowLength) return text;
      const sums = sumsOf(text);
      let out = "";
      let kept = 0;
      for (let at = 0; at + windowLength <= text.length; ) {
        const bucket = buckets.get(sumOf(sums, powers, at, windowLength));
        const found = bucket && longestAt(text, sums, at, bucket, replacement);
        if (found) {
          out += text.slice(kept, at) + found.put;
          at += found.length;
          kept = at;
        } else at += 1;
      }
      return kept === 0 ? text : out + text.slice(kept);
    },
  };
}

function count<T>({ lengths, counts }: Bucket<T>, length: number, more: 1 | -1): void {
  const times = (counts.get(length) ?? 0) + more;
  counts.set(length, times);
  if (times === 1 && more === 1) lengths.splice(placeOf(length, lengths), 0, length);
  if (times > 0) return;
  counts.delete(length);
  lengths.splice(lengths.indexOf(length), 1);
}

/** Where a length belongs among others, longest first. */
function placeOf(length: number, lengths: readonly number[]): number {
  const at = lengths.findIndex((other) => other < length);
  return at === -1 ? lengths.length : at;
}
