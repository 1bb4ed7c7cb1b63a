/** What the first message of TLS says of where it goes (RFC 8446 §4.1.2, RFC 6066 §3). */
export type ClientHello =
  | { readonly kind: "more" }
  | { readonly kind: "malformed" }
  /** `hidden`: it carries an encrypted hello (ECH) that may name another host. */
  | { readonly kind: "hello"; readonly serverName: string | null; readonly hidden: boolean };

const handshakeRecord = 22;
const clientHello = 1;
const longestHello = 65_536;
const serverNameExtension = 0;
const encryptedHelloExtension = 0xfe0d;

/** @param bytes from the first byte of the connection on; its first byte is 22 */
export function readClientHello(bytes: Buffer): ClientHello {
  const message = handshakeOf(bytes);
  if ("kind" in message) return message;
  try {
    return readBody(message.body);
  } catch (error) {
    if (error instanceof RangeError) return { kind: "malformed" };
    throw error;
  }
}

/** The first handshake message; it may be cut over several records. */
function handshakeOf(bytes: Buffer): ClientHello | { readonly body: Buffer } {
  const parts: Buffer[] = [];
  let at = 0;
  let got = 0;
  let wanted = Number.POSITIVE_INFINITY;
  while (got < wanted) {
    if (bytes.length < at + 5) return { kind: "more" };
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== handshakeRecord || bytes[at + 1] !== 3 || length === 0 || length > 16_640)
      return { kind: "malformed" };
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    got += part.length;
    if (wanted === Number.POSITIVE_INFINITY && got >= 4) {
      const head = Buffer.concat(parts);
      if (head[0] !== clientHello) return { kind: "malformed" };
      wanted = 4 + head.readUIntBE(1, 3);
      if (wanted > longestHello) return { kind: "malformed" };
    }
    if (got < wanted && part.length < length) return { kind: "more" };
    at += 5 + length;
  }
  return { body: Buffer.concat(parts).subarray(4, wanted) };
}

/** @throws RangeError where a length points behind the end */
function readBody(body: Buffer): ClientHello {
  let at = 2 + 32;
  at += 1 + body.readUInt8(at);
  at += 2 + body.readUInt16BE(at);
  at += 1 + body.readUInt8(at);
  let serverName: string | null = null;
  let hidden = false;
  if (at === body.length) return { kind: "hello", serverName, hidden };
  const end = at + 2 + body.readUInt16BE(at);
  if (end > body.length) return { kind: "malformed" };
  for (at += 2; at < end; ) {
    const type = body.readUInt16BE(at);
    const length = body.readUInt16BE(at + 2);
    const data = body.subarray(at + 4, at + 4 + length);
    if (data.length < length) return { kind: "malformed" };
    if (type === serverNameExtension) {
      // Two names could be read differently by whoever comes after us.
      if (serverName !== null) return { kind: "malformed" };
      serverName = readName(data);
      if (serverName === null) return { kind: "malformed" };
    }
    if (type === encryptedHelloExtension) hidden = true;
    at += 4 + length;
  }
  return { kind: "hello", serverName, hidden };
}

function readName(data: Buffer): string | null {
  const listed = data.readUInt16BE(0);
  const length = data.readUInt16BE(3);
  if (data.readUInt8(2) !== 0 || listed !== data.length - 2 || length !== listed - 3) return null;
  return data
    .toString("latin1", 5, 5 + length)
    .toLowerCase()
    .replace(/\.$/, "");
}
