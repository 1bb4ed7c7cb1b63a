import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeQueryResolver } from "#egress/query-resolver.ts";

const typeA = 1;
const typeAaaa = 28;

let server: Socket;
let asked: string[] = [];

/** A name server of our own. It never answers questions for `silent.test`, as an attacker's would not. */
beforeEach(async () => {
  asked = [];
  server = createSocket("udp4");
  server.on("message", (question, from) => {
    const { name, type, end } = readQuestion(question);
    asked.push(`${name} ${type}`);
    if (name.endsWith("silent.test")) return;
    server.send(answerTo(question.subarray(0, end), name, type), from.port, from.address);
  });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => server.close());

function readQuestion(packet: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = packet[at] ?? 0; length > 0; length = packet[at] ?? 0) {
    labels.push(packet.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: packet.readUInt16BE(at + 1), end: at + 5 };
}

const records: Readonly<Record<string, Readonly<Record<number, readonly Buffer[]>>>> = {
  "two.test": { [typeA]: [Buffer.from([192, 0, 2, 1]), Buffer.from([192, 0, 2, 2])] },
  "six.test": { [typeAaaa]: [Buffer.from("20010db8000000000000000000000001", "hex")] },
};

/** Header, the question again, an answer per record that points at the question's name. */
function answerTo(question: Buffer, name: string, type: number): Buffer {
  const known = records[name];
  const found = known?.[type] ?? [];
  const head = Buffer.from(question);
  head.writeUInt16BE(known === undefined ? 0x8183 : 0x8180, 2);
  head.writeUInt16BE(found.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  const answers = found.map((address) => {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(0xc00c, 0);
    fixed.writeUInt16BE(type, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt32BE(60, 6);
    fixed.writeUInt16BE(address.length, 10);
    return Buffer.concat([fixed, address]);
  });
  return Buffer.concat([head, ...answers]);
}

const resolver = () => makeQueryResolver([`127.0.0.1:${server.address().port}`]);

describe("a resolver that asks the name servers itself", () => {
  it("gives every address, IPv6 where there is no IPv4, and an error where there is nothing", async () => {
    const names = resolver();
    expect([...(await names.lookupAll("two.test"))].sort()).toEqual(["192.0.2.1", "192.0.2.2"]);
    expect(await names.lookupAll("six.test")).toEqual(["2001:db8::1"]);
    await expect(names.lookupAll("none.test")).rejects.toThrow("ENOTFOUND");
  });

  it("is not held up by names whose servers do not answer", async () => {
    const names = resolver();
    const silent = Array.from({ length: 200 }, (_, index) => names.lookupAll(`n${index}.silent.test`));
    // Nobody waits for these.
    void Promise.allSettled(silent);
    const startedAt = Date.now();
    expect(await names.lookupAll("two.test")).toHaveLength(2);
    expect(Date.now() - startedAt).toBeLessThan(1_500);
    expect(new Set(asked).size).toBeGreaterThan(100);
  });

  it("shares the answer of equal questions, and asks anew afterwards", async () => {
    const names = resolver();
    await Promise.all([names.lookupAll("two.test"), names.lookupAll("two.test"), names.lookupAll("two.test")]);
    expect(asked).toEqual(["two.test 1"]);
    await names.lookupAll("two.test");
    expect(asked).toHaveLength(2);
  });

  it("does not believe the hosts file", async () => {
    await expect(resolver().lookupAll("localhost")).rejects.toThrow();
  });
});
