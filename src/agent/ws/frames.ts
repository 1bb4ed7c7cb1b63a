/** FIN and the opcode of text. */
const finalText = 0x81;
/** The frame's payload is compressed (RFC 7692 §6). */
const rsv1 = 0x40;
/** Bytes that one stored block of deflate holds (RFC 1951 §3.2.4). */
const longestBlock = 0xffff;
const blockHeaderLength = 5;

function headerLength(payloadLength: number): number {
  if (payloadLength < 126) return 2;
  return payloadLength < 0x10000 ? 4 : 10;
}

/** @returns where the payload begins */
function writeHeader(frame: Buffer, first: number, payloadLength: number): number {
  const length = headerLength(payloadLength);
  frame[0] = first;
  if (length === 2) {
    frame[1] = payloadLength;
  } else if (length === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(payloadLength, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt16BE(0, 2);
    frame.writeUIntBE(payloadLength, 4, 6);
  }
  return length;
}

function plainFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerLength(length) + length);
  frame.write(text, writeHeader(frame, finalText, length));
  return frame;
}

function writeBlockHeader(frame: Buffer, at: number, length: number): number {
  frame[at] = 0;
  frame.writeUInt16LE(length, at + 1);
  frame.writeUInt16LE(length ^ 0xffff, at + 3);
  return at + blockHeaderLength;
}

/**
 * Stored blocks: valid deflate that costs no compressor, and refers to nothing sent before, so it holds for any negotiated window.
 * The last byte opens the empty block whose rest RFC 7692 §7.2.1 leaves out.
 */
function storedFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const blocks = Math.ceil(length / longestBlock);
  const payloadLength = length + blocks * blockHeaderLength + 1;
  const frame = Buffer.allocUnsafe(headerLength(payloadLength) + payloadLength);
  let at = writeHeader(frame, finalText | rsv1, payloadLength);
  if (blocks === 1) {
    at = writeBlockHeader(frame, at, length);
    at += frame.write(text, at);
  } else {
    const bytes = Buffer.from(text);
    for (let start = 0; start < length; start += longestBlock) {
      const block = bytes.subarray(start, start + longestBlock);
      at = writeBlockHeader(frame, at, block.length);
      at += block.copy(frame, at);
    }
  }
  frame[at] = 0;
  return frame;
}

/**
 * One whole text frame of a server.
 * @param deflate whether permessage-deflate was negotiated: a client that inflates takes one frame per turn of its event loop
 */
export function textFrame(text: string, deflate: boolean): Buffer {
  return deflate ? storedFrame(text) : plainFrame(text);
}
