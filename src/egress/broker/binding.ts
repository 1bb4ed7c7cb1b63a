/** One secret as bound for this request. Its value is fetched only when a request carries `placeholder` where `use` allows it. */
export interface Binding {
  /** The variable that holds the placeholder. */
  readonly name: string;
  readonly placeholder: string;
  /** `api.example.com`, `*.example.com`, with `:port` where it is not 443. */
  readonly hosts: readonly string[];
  /** See `secretUseSchema`. */
  readonly use: string;
}

/** `Binding.use`, read. */
export type Use =
  | { readonly kind: "header"; readonly header: string; readonly before: string; readonly after: string }
  | { readonly kind: "basic" }
  | { readonly kind: "query"; readonly parameter: string };

/** The bindings whose values may go to this host and port. `*.x` stands for every name below x, not for x. */
export function boundTo(bindings: readonly Binding[], host: string, port: number): readonly Binding[] {
  const name = host.toLowerCase();
  return bindings.filter((binding) => binding.hosts.some((pattern) => covers(pattern.toLowerCase(), name, port)));
}

function covers(pattern: string, host: string, port: number): boolean {
  const match = /^(.*?)(?::(\d+))?$/.exec(pattern);
  const name = match?.[1] ?? "";
  if (Number(match?.[2] ?? 443) !== port) return false;
  return name.startsWith("*.") ? host.endsWith(name.slice(1)) && host.length > name.length - 1 : host === name;
}

/** @throws Error for a text that `secretUseSchema` refuses */
export function parseUse(use: string): Use {
  if (use === "basic") return { kind: "basic" };
  const header = /^header ([^:]+): (.*?)\$(.*)$/.exec(use);
  if (header !== null) {
    // White space around a header's value is not part of it.
    return {
      kind: "header",
      header: header[1] ?? "",
      before: header[2]?.trimStart() ?? "",
      after: header[3]?.trimEnd() ?? "",
    };
  }
  const query = /^query (.+)$/.exec(use);
  if (query === null) throw new Error("not a use of a secret");
  return { kind: "query", parameter: query[1] ?? "" };
}

/** Where a secret may stand, for messages: `the header Authorization as "Bearer $"`. */
export function describeUse(use: string): string {
  const parsed = parseUse(use);
  switch (parsed.kind) {
    case "header":
      return `the header ${parsed.header} as "${parsed.before}$${parsed.after}"`;
    case "basic":
      return "Basic authentication, as the whole user or the whole password";
    case "query":
      return `the query parameter ${parsed.parameter}, as its whole value`;
  }
}
