import { Resolver as NameServers } from "node:dns/promises";
import type { Resolver } from "./ports.ts";

/** Questions under way at one time; more are refused, not kept waiting. */
const maxAtOnce = 2_000;

/**
 * Asks the name servers itself. The host's own name service holds a thread for each question, so that a few names whose servers never
 * answer would hold up everybody's: fit for one machine, not for a proxy of many sandboxes. Reads no hosts file. Equal questions share
 * one answer.
 * @param servers `address` or `address:port`; @default - those of the host
 */
export function makeQueryResolver(servers?: readonly string[]): Resolver {
  const names = new NameServers({ timeout: 2_000, tries: 2 });
  if (servers !== undefined) names.setServers(servers);
  const underWay = new Map<string, Promise<readonly string[]>>();

  /** IPv6 only where there is no IPv4: it leads out of few networks. */
  async function ask(host: string): Promise<readonly string[]> {
    try {
      return await names.resolve4(host);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENODATA") return names.resolve6(host);
      throw error;
    }
  }

  return {
    lookupAll(host) {
      const shared = underWay.get(host);
      if (shared !== undefined) return shared;
      if (underWay.size >= maxAtOnce) return Promise.reject(new Error("too many names wait to be resolved"));
      const answer = ask(host).finally(() => underWay.delete(host));
      underWay.set(host, answer);
      return answer;
    },
  };
}
