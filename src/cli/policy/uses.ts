/** What was seen of one host on one port. */
export interface Use {
  readonly host: string;
  readonly port: number;
  /** null: some of it could not be seen. */
  readonly methods: ReadonlySet<string> | null;
  /** Whether its TLS was ended at the proxy. */
  readonly inspected: boolean;
}

export function union(a: Use["methods"], b: Use["methods"]): Use["methods"] {
  return a === null || b === null ? null : new Set([...a, ...b]);
}

/** In the order in which the groups begin. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
