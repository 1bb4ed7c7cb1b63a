import { parseAddress } from "./address.ts";

export interface Destination {
  /** Lower-case name without a trailing dot, or a literal address without brackets. */
  readonly host: string;
  readonly port: number;
  /** True when `host` is a literal address. */
  readonly literal: boolean;
}

/** A destination, or what is wrong with it in words the sandbox's code may read. */
export type Parsed = { readonly destination: Destination } | { readonly problem: string };

/** Reads the target of CONNECT: `name:port`, `1.2.3.4:port` or `[v6]:port`. */
export function parseAuthority(text: string): Parsed {
  const match = /^(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(text);
  if (match === null) return { problem: "CONNECT needs a target of the form host:port" };
  return parseDestination(match[1] ?? "", Number(match[2]));
}

export function parseDestination(hostText: string, port: number): Parsed {
  if (port < 1 || port > 65_535) return { problem: "the port must be between 1 and 65535" };
  if (hostText.startsWith("[")) {
    const host = hostText.slice(1, -1);
    const address = parseAddress(host);
    return address?.family === 6
      ? { destination: { host, port, literal: true } }
      : { problem: "the address in brackets is not an IPv6 address" };
  }
  const host = hostText.toLowerCase().replace(/\.$/, "");
  if (parseAddress(host)?.family === 4) return { destination: { host, port, literal: true } };
  // Resolvers read 127.1, 0x7f000001 and 2130706433 as addresses; no public name ends in a number.
  if (/(^|\.)(\d+|0x[0-9a-f]*)$/.test(host))
    return { problem: "unusual spelling of an IPv4 address; write it as four decimal numbers" };
  if (!isName(host)) return { problem: "the host is not a valid name" };
  return { destination: { host, port, literal: false } };
}

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

function isName(host: string): boolean {
  return host.length <= 253 && host.split(".").every((part) => label.test(part));
}
