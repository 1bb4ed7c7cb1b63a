/** Odd; the sum of a text is a polynomial in it modulo 2^32. */
const base = 0x0100_0193;

/** At each place the sum of all characters before it. */
export function sumsOf(text: string): Int32Array {
  const sums = new Int32Array(text.length + 1);
  let sum = 0;
  for (let at = 0; at < text.length; at += 1) {
    sum = (Math.imul(sum, base) + text.charCodeAt(at)) | 0;
    sums[at + 1] = sum;
  }
  return sums;
}

/** Of the part of `length` characters from `at` on, from the sums of the whole. */
export function sumOf(sums: Int32Array, powers: Int32Array, at: number, length: number): number {
  return ((sums[at + length] ?? 0) - Math.imul(sums[at] ?? 0, powers[length] ?? 0)) | 0;
}

/** What `sumOf` needs for parts of up to `length` characters. */
export function powersUpTo(length: number): Int32Array {
  const powers = new Int32Array(length + 1);
  powers[0] = 1;
  for (let n = 1; n <= length; n += 1) powers[n] = Math.imul(powers[n - 1] ?? 0, base);
  return powers;
}
