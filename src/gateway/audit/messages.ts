import { inflateRawSync } from "node:zlib";

/** Reads the messages that a client sends on a WebSocket (RFC 6455 §5), to know what it has run. */
export interface MessageReader {
  readonly see: (chunk: Uint8Array) => void;
}

/** Longer messages are not read; what follows them is. */
const maxMessage = 1024 * 1024;
/** What a sender leaves off a compressed message (RFC 7692 §7.2.1). */
const flushed = Buffer.from([0, 0, 0xff, 0xff]);

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly compressed: boolean;
  readonly mask: Uint8Array | null;
  left: number;
  at: number;
}

/**
 * Clients compress each message by itself: agents ask them to (`client_no_context_takeover`).
 * @param onMessage a text message, decompressed; never one that cannot be read
 */
export function makeMessageReader(onMessage: (text: Buffer) => void): MessageReader {
  let header = Buffer.alloc(0);
  let frame: Frame | null = null;
  let message: Buffer[] = [];
  let size = 0;
  let compressed = false;
  let isText = false;

  function take(part: Uint8Array): void {
    if (frame === null || frame.opcode >= 8) return;
    size += part.length;
    if (size > maxMessage) return;
    const copy = Buffer.from(part);
    const { mask } = frame;
    if (mask !== null) {
      for (let index = 0; index < copy.length; index += 1)
        copy[index] = (copy[index] ?? 0) ^ (mask[(frame.at + index) % 4] ?? 0);
    }
    message.push(copy);
  }

  function endFrame(): void {
    const ended = frame;
    frame = null;
    if (ended === null || ended.opcode >= 8 || !ended.final) return;
    const whole = size <= maxMessage && isText ? inflated(Buffer.concat(message), compressed) : undefined;
    message = [];
    size = 0;
    if (whole !== undefined) onMessage(whole);
  }

  function begin(read: Omit<Frame, "at">): void {
    frame = { ...read, at: 0 };
    if (read.opcode === 1 || read.opcode === 2) {
      isText = read.opcode === 1;
      compressed = read.compressed;
      message = [];
      size = 0;
    }
    if (frame.left === 0) endFrame();
  }

  return {
    see(chunk) {
      let rest: Uint8Array = chunk;
      while (rest.length > 0) {
        if (frame !== null) {
          const step = Math.min(frame.left, rest.length);
          take(rest.subarray(0, step));
          frame.left -= step;
          frame.at += step;
          rest = rest.subarray(step);
          if (frame.left === 0) endFrame();
          continue;
        }
        header = Buffer.concat([header, rest.subarray(0, 1)]);
        rest = rest.subarray(1);
        const read = readHeader(header);
        if (read === undefined) continue;
        header = Buffer.alloc(0);
        begin(read);
      }
    },
  };
}

function readHeader(bytes: Buffer): Omit<Frame, "at"> | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const masked = (second & 0x80) !== 0;
  if (bytes.length < 2 + lengthBytes + (masked ? 4 : 0)) return undefined;
  const left = lengthBytes === 2 ? bytes.readUInt16BE(2) : lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
  return {
    opcode: first & 0x0f,
    final: (first & 0x80) !== 0,
    compressed: (first & 0x40) !== 0,
    mask: masked ? bytes.subarray(2 + lengthBytes, 6 + lengthBytes) : null,
    left,
  };
}

function inflated(bytes: Buffer, compressed: boolean): Buffer | undefined {
  if (!compressed) return bytes;
  try {
    return inflateRawSync(Buffer.concat([bytes, flushed]), { maxOutputLength: maxMessage, finishFlush: 2 });
  } catch {
    return undefined;
  }
}
