import { isIP } from "node:net";
import { portList } from "./ports.ts";
import { groupBy, type Use } from "./uses.ts";

export interface SuggestedRule {
  readonly host?: string;
  readonly cidr?: string;
  readonly ports?: readonly (number | string)[];
  readonly methods?: readonly string[];
  readonly inspect?: true;
}

/** One rule for the ports of a host that need the same. */
export function rulesOf(uses: readonly Use[]): SuggestedRule[] {
  const groups = groupBy(uses, ({ host, methods, inspected }) =>
    JSON.stringify([host, methods && [...methods].sort(), methods !== null && inspected]),
  );
  const rules = [...groups.values()].flatMap((group): SuggestedRule[] => {
    const [first] = group;
    if (first === undefined) return [];
    const ports = portList(group.map(({ port }) => port));
    return [
      {
        ...(isIP(first.host) === 0 ? { host: first.host } : { cidr: first.host }),
        ...(ports !== null && { ports }),
        ...(first.methods !== null && { methods: [...first.methods].sort() }),
        ...(first.methods !== null && group.some(({ inspected }) => inspected) && { inspect: true as const }),
      },
    ];
  });
  return rules.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
}

/** Names beside each other that belong together: `com.example.api`; addresses last. */
function orderOf({ host, cidr = "", ports = [] }: SuggestedRule): string {
  const name = host === undefined ? `~${cidr}` : host.split(".").toReversed().join(".");
  return `${name} ${String(ports[0] ?? 0).padStart(5, "0")}`;
}
