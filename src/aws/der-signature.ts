/** Bytes of one number of a P-256 signature. */
const width = 32;
const sequence = 0x30;
const integer = 0x02;

/**
 * Turns an ECDSA P-256 signature as KMS gives it (DER: SEQUENCE of two INTEGERs) into the 64 bytes r‖s of JOSE.
 * @throws Error for anything but the one DER form of two positive numbers of at most 256 bits
 */
export function rawSignature(der: Uint8Array): Uint8Array {
  // 72 bytes at most: every length fits in one byte.
  if (der[0] !== sequence || der[1] !== der.byteLength - 2) throw malformed();
  const r = readInteger(der, 2);
  const s = readInteger(der, r.next);
  if (s.next !== der.byteLength) throw malformed();
  const raw = new Uint8Array(2 * width);
  raw.set(r.value, width - r.value.byteLength);
  raw.set(s.value, 2 * width - s.value.byteLength);
  return raw;
}

interface DerInteger {
  /** Big-endian, without the zero that only says "positive". */
  readonly value: Uint8Array;
  readonly next: number;
}

function readInteger(der: Uint8Array, at: number): DerInteger {
  const length = der[at + 1] ?? 0;
  const next = at + 2 + length;
  if (der[at] !== integer || length === 0 || next > der.byteLength) throw malformed();
  const bytes = der.subarray(at + 2, next);
  const [first = 0, second = 0] = bytes;
  const padded = first === 0;
  if (first >= 0x80) throw malformed();
  if (padded && second < 0x80) throw malformed();
  const value = padded ? bytes.subarray(1) : bytes;
  if (value.byteLength > width) throw malformed();
  return { value, next };
}

function malformed(): Error {
  return new Error("Not a DER signature of P-256.");
}
