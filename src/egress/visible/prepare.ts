import type { IncomingMessage } from "node:http";
import type { BrokeredSecret } from "#core/model.ts";
import { boundTo } from "../broker/binding.ts";
import { substitute } from "../broker/substitute.ts";
import { makeValueHider, type ValueHider } from "../broker/value-hider.ts";
import { forwardedHeaders } from "../forward-headers.ts";
import { judge, signs } from "../intercept.ts";
import type { EgressIdentity, HeaderPairs } from "../ports.ts";
import { type Refusal, refusal } from "../refusal.ts";
import { signed } from "./signed.ts";
import type { Seen } from "./visible.ts";

/** One request as it goes out. */
export interface Prepared {
  readonly target: string;
  /** Names and values in turn. */
  readonly headers: string[];
  /** The body where it had to be read to be signed; null: it is streamed. */
  readonly body: Buffer | null;
  /** Hides what was put in from the answer; null where nothing was. */
  readonly hider: ValueHider | null;
  readonly secrets: readonly string[];
}

/** Judges a request, puts in what it may carry, and signs it. @param url where it goes, already held against the connection's target */
export async function prepare(seen: Seen, req: IncomingMessage, url: URL): Promise<Prepared | Refusal> {
  const { listener, connection, secure } = seen;
  const identity = listener.identify();
  if (identity?.sandboxId !== connection.identity.sandboxId) return refusal(403, "its sandbox has ended or rests");
  if (identity.quarantined === true) return refusal(403, "the sandbox is quarantined");
  const { network } = identity;
  const method = req.method ?? "";
  const decision = judge(listener.deps, network, connection.target, { method, path: url.pathname });
  if (!decision.allow) {
    return refusal(403, `${method} ${connection.target.host} is refused: ${decision.reason}`, decision.rule);
  }
  // What was judged is what goes out; otherwise it stays as it was written.
  const target = network.rules.some((rule) => rule.paths !== undefined)
    ? url.pathname + url.search
    : rawTarget(req, url);
  const plain = forwardedHeaders(req, url.host, seen.keepAlive);
  const put = await putIn(seen, identity, target, pairs(plain));
  if ("refused" in put) return refusal(403, put.refused);
  if (!signs(listener.deps, network.aws, connection.target.host))
    return { ...put, headers: put.headers.flat(), body: null };
  if (!secure) return refusal(403, `${connection.target.host} is called with TLS, because requests to it are signed`);
  return signed(seen, identity, req, put);
}

/** A request in the middle of its preparation. */
export interface Put {
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly hider: ValueHider | null;
  readonly secrets: readonly string[];
}

async function putIn(
  { listener, connection, secure }: Seen,
  { projectId, brokered }: EgressIdentity,
  target: string,
  headers: HeaderPairs,
): Promise<Put | { readonly refused: string }> {
  const { host, port } = connection.target;
  const bound = secure ? boundTo(brokered, host, port) : [];
  const read = (binding: { readonly name: string }) =>
    valueFor(listener.deps.secrets, projectId, brokered, binding.name);
  const done = await substitute({ target, headers }, bound, read, brokered);
  if ("refused" in done) return done;
  for (const { placeholder, value } of done.used) listener.used.set(placeholder, value);
  const known = bound.flatMap(({ placeholder }) => {
    const value = listener.used.get(placeholder);
    return value === undefined ? [] : [{ placeholder, value }];
  });
  if (known.length === 0) return { target, headers: done.headers, hider: null, secrets: [] };
  return {
    target: done.target,
    // An answer in another encoding could not be searched for what was put in.
    headers: [
      ...done.headers.filter(([name]) => name.toLowerCase() !== "accept-encoding"),
      ["Accept-Encoding", "identity"],
    ],
    hider: makeValueHider(known),
    secrets: done.used.map(({ name }) => name),
  };
}

function valueFor(
  secrets: Seen["listener"]["deps"]["secrets"],
  projectId: string,
  brokered: readonly BrokeredSecret[],
  name: string,
): Promise<string> {
  const secret = brokered.find((one) => one.name === name);
  if (secret === undefined || secrets === undefined) return Promise.reject(new Error("no source of secrets"));
  return secrets.value(projectId, secret.reference);
}

function rawTarget(req: IncomingMessage, url: URL): string {
  const raw = req.url ?? "/";
  return raw.startsWith("/") || raw === "*" ? raw : url.pathname + url.search;
}

function pairs(flat: readonly string[]): HeaderPairs {
  const out: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) out.push([flat[index] ?? "", flat[index + 1] ?? ""]);
  return out;
}
