/** Just enough of DER (X.690) to write a certificate: every element is a tag, a length and its content. */

const lengthOf = (length: number): Buffer => {
  if (length < 0x80) return Buffer.from([length]);
  return length < 0x100 ? Buffer.from([0x81, length]) : Buffer.from([0x82, length >> 8, length & 0xff]);
};

function element(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

export const sequence = (...items: readonly Buffer[]): Buffer => element(0x30, ...items);
export const set = (...items: readonly Buffer[]): Buffer => element(0x31, ...items);
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text));
export const octetString = (bytes: Buffer): Buffer => element(0x04, bytes);
export const yes = element(0x01, Buffer.from([0xff]));
/** The bits of whole octets but for the `unused` last ones. */
export const bitString = (bytes: Buffer, unused = 0): Buffer => element(0x03, Buffer.from([unused]), bytes);
/** `[number]`, constructed. */
export const explicit = (number: number, content: Buffer): Buffer => element(0xa0 + number, content);
/** `[number]` in place of a primitive's own tag. */
export const implicit = (number: number, bytes: Buffer): Buffer => element(0x80 + number, bytes);

/** A number that is not negative, big-endian. */
export function integer(bytes: Buffer): Buffer {
  const from = bytes.findIndex((byte) => byte !== 0);
  const digits = from < 0 ? Buffer.from([0]) : bytes.subarray(from);
  return element(0x02, (digits[0] ?? 0) & 0x80 ? Buffer.from([0]) : Buffer.alloc(0), digits);
}

/** UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
export function time(at: number): Buffer {
  const text = new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return text < "2050" ? element(0x17, Buffer.from(text.slice(2))) : element(0x18, Buffer.from(text));
}

export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets = [first * 40 + second, ...rest.flatMap(base128)];
  return element(0x06, Buffer.from(octets));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}
