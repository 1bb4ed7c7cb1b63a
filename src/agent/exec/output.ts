/** Keeps the first and the last bytes of a stream of any length, in bounded memory. */
export interface CappedOutput {
  push(chunk: Uint8Array): void;
  /** As text; a line says how much is missing in the middle. */
  text(): string;
  /** Bytes of memory that it takes. */
  room(): number;
}

/** Bytes of one stream that an answer carries. */
export const defaultOutputLimit = 1024 * 1024;

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** Without a UTF-8 sequence that the cut broke, at the end. */
function trimEnd(bytes: Buffer): Buffer {
  let start = bytes.length - 1;
  while (start > 0 && bytes.length - start < 4 && isContinuation(bytes[start])) start -= 1;
  const lead = bytes[start];
  if (lead === undefined || lead < 0xc0) return bytes;
  const needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  return bytes.length - start < needed ? bytes.subarray(0, start) : bytes;
}

function trimStart(bytes: Buffer): Buffer {
  let start = 0;
  while (start < 3 && isContinuation(bytes[start])) start += 1;
  return bytes.subarray(start);
}

export function makeCappedOutput(limit = defaultOutputLimit): CappedOutput {
  const headLimit = Math.ceil(limit / 2);
  const tailLimit = limit - headLimit;
  let head = Buffer.alloc(0);
  let headBytes = 0;
  let ring: Buffer | undefined;
  /** Bytes that ever went to the ring; the oldest are overwritten. */
  let ringBytes = 0;

  /** Grows by doubling, so that many small writes cost no more than a few large ones. */
  function pushHead(chunk: Uint8Array): void {
    if (headBytes + chunk.length > head.length) {
      const larger = Buffer.allocUnsafe(Math.min(headLimit, Math.max(1024, 2 * (headBytes + chunk.length))));
      head.copy(larger, 0, 0, headBytes);
      head = larger;
    }
    head.set(chunk, headBytes);
    headBytes += chunk.length;
  }

  function pushTail(chunk: Uint8Array): void {
    if (tailLimit === 0) {
      ringBytes += chunk.length;
      return;
    }
    ring ??= Buffer.allocUnsafe(tailLimit);
    const kept = chunk.length > tailLimit ? chunk.subarray(chunk.length - tailLimit) : chunk;
    ringBytes += chunk.length - kept.length;
    const at = ringBytes % tailLimit;
    const first = Math.min(kept.length, tailLimit - at);
    ring.set(kept.subarray(0, first), at);
    if (first < kept.length) ring.set(kept.subarray(first), 0);
    ringBytes += kept.length;
  }

  function tail(): Buffer {
    if (ring === undefined) return Buffer.alloc(0);
    if (ringBytes <= tailLimit) return ring.subarray(0, ringBytes);
    const at = ringBytes % tailLimit;
    return Buffer.concat([ring.subarray(at), ring.subarray(0, at)]);
  }

  return {
    room: () => head.length + (ring?.length ?? 0),
    push(chunk) {
      const room = headLimit - headBytes;
      if (room > 0) pushHead(chunk.subarray(0, room));
      if (chunk.length > room) pushTail(chunk.subarray(Math.max(0, room)));
    },
    text() {
      const kept = head.subarray(0, headBytes);
      if (ringBytes <= tailLimit) return Buffer.concat([kept, tail()]).toString("utf8");
      const first = trimEnd(kept);
      const last = trimStart(tail());
      const dropped = headBytes + ringBytes - first.length - last.length;
      return `${first.toString("utf8")}\n[output truncated: ${dropped} bytes dropped]\n${last.toString("utf8")}`;
    },
  };
}
