import { isIPv4, isIPv6 } from "node:net";

/** An address as a number, so that two spellings of one address are equal. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface Range {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly bits: number;
}

/** Reads a canonical IPv4 or any IPv6 spelling; undefined for everything else, scoped addresses (`%eth0`) included. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: fromIPv4(text) };
  if (isIPv6(text) && !text.includes("%")) return { family: 6, value: fromIPv6(text) };
  return undefined;
}

function fromIPv4(text: string): bigint {
  return text.split(".").reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function fromIPv6(text: string): bigint {
  const tail = /[^:]+\.[^:]+$/.exec(text)?.[0];
  const plain = tail === undefined ? text : text.slice(0, -tail.length) + asGroups(fromIPv4(tail));
  const [left = "", right] = plain.split("::");
  const head = groups(left);
  const rest = right === undefined ? [] : groups(right);
  const middle = Array.from({ length: 8 - head.length - rest.length }, () => "0");
  return [...head, ...middle, ...rest].reduce((value, group) => value * 65_536n + BigInt(`0x${group}`), 0n);
}

function groups(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

function asGroups(value: bigint): string {
  return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

/** Reads `address` or `address/bits`. */
export function parseRange(text: string): Range | undefined {
  const [name = "", length, extra] = text.split("/");
  const address = parseAddress(name);
  if (address === undefined || extra !== undefined) return undefined;
  const width = address.family === 4 ? 32 : 128;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const bits = length === undefined ? width : Number(length);
  return bits > width ? undefined : { ...address, bits };
}

export function inRange(address: Address, range: Range): boolean {
  if (address.family !== range.family) return false;
  const shift = BigInt((range.family === 4 ? 32 : 128) - range.bits);
  return address.value >> shift === range.value >> shift;
}

/** IPv4 space that is not the public internet (IANA special-purpose registry), and metadata services outside it. */
const closedIPv4 = ranges({
  "0.0.0.0/8": "unspecified",
  "10.0.0.0/8": "private",
  "100.64.0.0/10": "carrier-grade NAT",
  "127.0.0.0/8": "loopback",
  "169.254.0.0/16": "link-local",
  "172.16.0.0/12": "private",
  "192.0.0.0/24": "reserved",
  "192.0.2.0/24": "documentation",
  "192.88.99.0/24": "6to4 relay",
  "192.168.0.0/16": "private",
  "198.18.0.0/15": "benchmarking",
  "198.51.100.0/24": "documentation",
  "203.0.113.0/24": "documentation",
  "224.0.0.0/4": "multicast",
  "240.0.0.0/4": "reserved",
  "168.63.129.16/32": "metadata",
});

/** Closed parts of the only IPv6 space that is public at all, 2000::/3. */
const closedIPv6 = ranges({
  "2001::/23": "protocol assignments (Teredo among them)",
  "2001:db8::/32": "documentation",
  "2002::/16": "6to4",
  "3fff::/20": "documentation",
});
const publicIPv6 = range("2000::/3");
/** Ranges whose last 32 bits are an IPv4 address that the packet really goes to. */
const embedding = [range("::ffff:0:0/96"), range("64:ff9b::/96")];

/** Why an address must not be reached from a sandbox; null for a public one. */
export function closedBecause(address: Address): string | null {
  if (address.family === 4) return closedIPv4.find(([closed]) => inRange(address, closed))?.[1] ?? null;
  if (embedding.some((prefix) => inRange(address, prefix))) return closedBecause(embeddedIPv4(address));
  if (!inRange(address, publicIPv6)) return describeClosedIPv6(address);
  return closedIPv6.find(([closed]) => inRange(address, closed))?.[1] ?? null;
}

/** The IPv4 address behind a mapped or NAT64 one; any other address unchanged. */
export function reachedAddress(address: Address): Address {
  return address.family === 6 && embedding.some((prefix) => inRange(address, prefix)) ? embeddedIPv4(address) : address;
}

function embeddedIPv4(address: Address): Address {
  return { family: 4, value: address.value & 0xffff_ffffn };
}

const namedIPv6 = ranges({
  "::/128": "unspecified",
  "::1/128": "loopback",
  "fc00::/7": "private",
  "fe80::/10": "link-local",
  "ff00::/8": "multicast",
});

function describeClosedIPv6(address: Address): string {
  return namedIPv6.find(([named]) => inRange(address, named))?.[1] ?? "reserved";
}

function ranges(table: Readonly<Record<string, string>>): readonly (readonly [Range, string])[] {
  return Object.entries(table).map(([text, name]) => [range(text), name] as const);
}

function range(text: string): Range {
  const parsed = parseRange(text);
  if (parsed === undefined) throw new Error(`Not a range: ${text}`);
  return parsed;
}
