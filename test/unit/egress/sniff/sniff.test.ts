import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sniff } from "#egress/sniff/sniff.ts";

/** A ClientHello as small as there is. */
function hello({ name, ech = false, twice = false }: { name?: string; ech?: boolean; twice?: boolean }): Buffer {
  const extension = (type: number, data: Buffer) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(data.length, 2);
    return Buffer.concat([head, data]);
  };
  const sni = (text: string) => {
    const head = Buffer.from([0, text.length + 3, 0, 0, text.length]);
    return extension(0, Buffer.concat([head, Buffer.from(text)]));
  };
  const names = name === undefined ? [] : twice ? [sni(name), sni("other.test")] : [sni(name)];
  const extensions = Buffer.concat([
    ...names,
    ...(ech ? [extension(0xfe0d, Buffer.from([0, 1, 2]))] : []),
    extension(10, Buffer.from([0, 2, 0, 29])),
  ]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(extensions.length);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0, 0, 2, 0x13, 1, 1, 0]),
    length,
    extensions,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body]);
  return record(message);
}

function record(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([22, 3, 1, message.length >> 8, message.length & 255]), message]);
}

describe("TLS", () => {
  it("says its name, or that it has none, or hides one", () => {
    expect(sniff(hello({ name: "API.example.com" }))).toEqual({
      kind: "tls",
      serverName: "api.example.com",
      hidden: false,
    });
    expect(sniff(hello({}))).toEqual({ kind: "tls", serverName: null, hidden: false });
    expect(sniff(hello({ name: "a.test", ech: true }))).toMatchObject({ hidden: true });
  });

  it("is understood over several records, and waited for in any pieces", () => {
    const whole = hello({ name: "api.example.com" });
    const message = whole.subarray(5);
    const cut = Buffer.concat([record(message.subarray(0, 20)), record(message.subarray(20))]);
    expect(sniff(cut)).toMatchObject({ kind: "tls", serverName: "api.example.com" });
    for (let length = 2; length < whole.length; length += 1) expect(sniff(whole.subarray(0, length)).kind).toBe("more");
    for (let length = 2; length < cut.length; length += 1) expect(sniff(cut.subarray(0, length)).kind).toBe("more");
  });

  it("is refused with two names, and where it cannot be read", () => {
    expect(sniff(hello({ name: "a.test", twice: true })).kind).toBe("malformed");
    const broken = hello({ name: "a.test" });
    broken.writeUInt16BE(0xffff, broken.length - 6);
    expect(sniff(broken).kind).not.toBe("tls");
  });

  it("never throws, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        (bytes) => typeof sniff(Buffer.concat([Buffer.from([22, 3, 1]), bytes])).kind === "string",
      ),
    );
  });
});

describe("HTTP", () => {
  it.each(["GET / HTTP/1.1\r\n", "\r\n\r\nPOST /a?b HTTP/1.0\n", "get / HTTP/1.1\r\n", "FOO * HTTP/1.1\r\n"])(
    "%j is",
    (text) => {
      expect(sniff(Buffer.from(text)).kind).toBe("http");
    },
  );

  it.each(["G", "GET", "GET /long", "\r\n", "CONNECT a"])("%j may become one", (text) => {
    expect(sniff(Buffer.from(text)).kind).toBe("more");
  });

  it.each([
    "SSH-2.0-x\r\n",
    "EHLO mail\r\n",
    "hello",
    "x",
    "PRI * HTTP/2.0\r\n\r\n",
    "\u0000\u0000\u0000\u0008",
    "GETX",
  ])("%j is none", (text) => {
    expect(sniff(Buffer.from(text)).kind).toBe("opaque");
  });
});
