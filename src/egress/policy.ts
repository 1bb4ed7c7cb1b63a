import {
  type Address,
  closedBecause,
  inRange,
  parseAddress,
  parseRange,
  type Range,
  reachedAddress,
} from "./address.ts";
import type { EgressPolicy, EgressQuestion, EgressVerdict } from "./ports.ts";

export interface PublicOnlyOptions {
  /** Addresses of the host's own interfaces now; public ones among them are closed too. */
  readonly hostAddresses: () => readonly string[];
  /** Addresses, CIDR ranges or host names open although they are not public: an operator's choice. @default - none */
  readonly allowAddresses?: readonly string[];
}

/**
 * The public internet and nothing else. One closed address among several closes the name: which of them a connection
 * would take is chance.
 * @throws Error when an entry of `allowAddresses` cannot be read
 */
export function makePublicOnlyPolicy(options: PublicOnlyOptions): EgressPolicy {
  const { openRanges, openNames } = readAllowed(options.allowAddresses ?? []);

  const closed = (text: string, own: readonly Address[]): string | null => {
    const address = parseAddress(text);
    if (address === undefined) return `${text} is not an address`;
    const reached = reachedAddress(address);
    if (openRanges.some((range) => inRange(reached, range) || inRange(address, range))) return null;
    const reason = closedBecause(address);
    if (reason !== null) return `${text} is not a public address (${reason})`;
    const isOwn = own.some((mine) => mine.family === reached.family && mine.value === reached.value);
    return isOwn ? `${text} is an address of the host` : null;
  };

  return {
    decide(question: EgressQuestion): EgressVerdict {
      if (openNames.has(question.host)) return { allow: true, reason: "allowed by the operator" };
      if (question.addresses.length === 0) return { allow: false, reason: "the name has no address" };
      const own = options.hostAddresses().flatMap((text) => parseAddress(text.replace(/%.*$/, "")) ?? []);
      for (const text of question.addresses) {
        const reason = closed(text, own);
        if (reason !== null) return { allow: false, reason };
      }
      return { allow: true, reason: "public address" };
    },
  };
}

function readAllowed(entries: readonly string[]): { openRanges: Range[]; openNames: Set<string> } {
  const openRanges: Range[] = [];
  const openNames = new Set<string>();
  for (const entry of entries) {
    const range = parseRange(entry);
    if (range !== undefined) openRanges.push(range);
    else if (/^[a-z0-9_.-]*[a-z][a-z0-9_.-]*$/i.test(entry)) openNames.add(entry.toLowerCase());
    else throw new Error(`"${entry}" is neither an address, a range such as 10.0.0.0/8, nor a host name.`);
  }
  return { openRanges, openNames };
}
