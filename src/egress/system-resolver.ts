import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import type { Resolver } from "./ports.ts";

/** The host's own name service. IPv4 first: a host without IPv6 still gets AAAA answers. */
export const systemResolver: Resolver = {
  async lookupAll(host) {
    const found = await lookup(host, { all: true, order: "ipv4first" });
    return [...new Set(found.map((entry) => entry.address))];
  },
};

/** Addresses of this machine's interfaces; they change while it runs. */
export function systemHostAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address));
}
