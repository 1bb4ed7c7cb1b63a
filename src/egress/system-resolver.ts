import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import type { Resolver } from "./ports.ts";

/** Lookups at one time: each holds one of the process's four file-system threads until its name server answers. */
const maxAtOnce = 2;
const maxWaiting = 1000;

/** Asks in turn; equal questions share one answer. `ask` is the host's own name service unless a test says otherwise. */
export function makeSystemResolver(ask: (host: string) => Promise<readonly string[]> = askSystem): Resolver {
  const underWay = new Map<string, Promise<readonly string[]>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  const inTurn = async (host: string) => {
    if (running >= maxAtOnce) {
      if (waiting.length >= maxWaiting) throw new Error("too many names wait to be resolved");
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await ask(host);
    } finally {
      // The place goes to the next in line, if there is one.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };

  return {
    lookupAll(host) {
      const shared = underWay.get(host) ?? inTurn(host).finally(() => underWay.delete(host));
      underWay.set(host, shared);
      return shared;
    },
  };
}

/** One for the process, because its threads are. */
export const systemResolver: Resolver = makeSystemResolver();

/** IPv4 first: a host without IPv6 still gets AAAA answers. */
async function askSystem(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, order: "ipv4first" });
  return [...new Set(found.map((entry) => entry.address))];
}

/** Addresses of this machine's interfaces; they change while it runs. */
export function systemHostAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address));
}
