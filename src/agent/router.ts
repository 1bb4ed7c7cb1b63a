import type { IncomingMessage, ServerResponse } from "node:http";
import type { Hide } from "#contracts/hide-in.ts";

/** One request as a route sees it. Routes throw BulkheadError for failures; the server answers them. */
export interface AgentRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Goes out as X-Request-ID. */
  readonly id: string;
  readonly path: string;
  /** Form encoding: `+` is a space. */
  readonly query: URLSearchParams;
  /** Aborts when the caller hangs up before the answer is complete. */
  readonly signal: AbortSignal;
  /** Takes values of secrets out of what the agent itself has to say. */
  readonly hide: Hide;
  /**
   * The body as JSON; an empty body is `{}`, whatever its content type says.
   * @throws BulkheadError INVALID_JSON, or PAYLOAD_TOO_LARGE over 8 MiB
   */
  json(): Promise<unknown>;
  /** Answers with a JSON body. Call once. */
  send(status: number, body: unknown): void;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "ANY";
  /** Exact, or a prefix when it ends with `/*`. */
  readonly path: string;
  handle(request: AgentRequest): Promise<void> | void;
}

export type Match =
  | { readonly kind: "route"; readonly route: Route }
  | { readonly kind: "method"; readonly allowed: readonly string[] }
  | { readonly kind: "none" };

export interface Router {
  match(method: string, path: string): Match;
}

/** Exact paths win over prefixes; of two prefixes the longer wins. One trailing slash is ignored. */
export function makeRouter(routes: readonly Route[]): Router {
  const exact = new Map<string, Route[]>();
  const prefixes = new Map<string, Route[]>();
  for (const route of routes) {
    const [table, key] = route.path.endsWith("/*") ? [prefixes, route.path.slice(0, -1)] : [exact, route.path];
    const others = table.get(key);
    if (others === undefined) table.set(key, [route]);
    else others.push(route);
  }
  const byLength = [...prefixes].sort(([a], [b]) => b.length - a.length);
  const candidates = (path: string) => exact.get(path) ?? byLength.find(([prefix]) => path.startsWith(prefix))?.[1];
  return {
    match(method, asked) {
      const path = asked.length > 1 && asked.endsWith("/") ? asked.slice(0, -1) : asked;
      const found = candidates(path);
      if (found === undefined) return { kind: "none" };
      const route = found.find((each) => each.method === method || each.method === "ANY");
      if (route !== undefined) return { kind: "route", route };
      return { kind: "method", allowed: found.map((each) => each.method) };
    },
  };
}
