import * as z from "zod";
import { CliError, exitCodeOfStatus, exitCodes } from "./failure.ts";

/** One side that is spoken to: the control plane, or the agent of a sandbox. */
export interface Peer {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What to do when nobody answers. */
  readonly unreachable: string;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole answer. @default 60 s */
  readonly timeoutMs?: number;
}

const refusalSchema = z.object({ message: z.string(), code: z.string().optional() });

export function urlOf({ baseUrl }: Peer, path: string): string {
  return baseUrl.replace(/\/$/, "") + path;
}

/**
 * One request; the answer's body is unread.
 * @throws CliError that says what to do next, for every answer that is no success; the reason of `signal` when that was aborted
 */
export async function send(peer: Peer, method: string, path: string, options: CallOptions = {}): Promise<Response> {
  const { body, signal, timeoutMs = 60_000 } = options;
  const limit = AbortSignal.timeout(timeoutMs);
  let response: Response;
  try {
    response = await fetch(urlOf(peer, path), {
      method,
      headers: { ...peer.headers, "content-type": "application/json" },
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw unanswered(peer, limit.aborted, cause);
  }
  if (response.ok) return response;
  throw refusal(response.status, await response.text().catch(() => ""), `${method} ${path}`);
}

/** As {@link send}, with the answer read by `schema`. */
export async function call<T>(
  peer: Peer,
  method: string,
  path: string,
  schema: z.ZodType<T>,
  options?: CallOptions,
): Promise<T> {
  return read(peer, await send(peer, method, path, options), `${method} ${path}`, schema);
}

/** The body of an answer. @param what the request it answers. @throws CliError when it is of another form */
export async function read<T>(peer: Peer, response: Response, what: string, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(await response.json().catch(() => undefined));
  if (parsed.success) return parsed.data;
  throw new CliError(`${peer.baseUrl} answered ${what} in a form this command does not know. Is it Bulkhead?`);
}

/** @param late whether the time ran out, rather than the connection failed */
export function unanswered(peer: Pick<Peer, "baseUrl" | "unreachable">, late: boolean, cause: unknown): CliError {
  if (late) return new CliError(`${peer.baseUrl} did not answer in time. Try again.`, exitCodes.timeout, cause);
  return new CliError(peer.unreachable, exitCodes.network, cause);
}

/** The error that an answer with `status` and `body` tells of. @param what the request, for an answer that does not say more */
export function refusal(status: number, body: string, what: string): CliError {
  const { message, code } = refusalOf(body);
  return new CliError(
    (message ?? `${what} was answered with HTTP ${status}.`) + advice(status, code),
    exitCodeOfStatus(status, code),
  );
}

function refusalOf(body: string): { readonly message?: string | undefined; readonly code?: string | undefined } {
  try {
    return refusalSchema.safeParse(JSON.parse(body)).data ?? {};
  } catch {
    return {};
  }
}

function advice(status: number, code: string | undefined): string {
  if (status === 401)
    return ' Pass a valid key with --api-key or BULKHEAD_API_KEY; "bulkhead start" says where one is.';
  if (code === "SANDBOX_STOPPED") return ' "bulkhead resume ID" or "bulkhead start ID" makes it run.';
  if (code === "SANDBOX_NOT_FOUND" || code === "SANDBOX_EXPIRED") return ' "bulkhead ls" shows those that there are.';
  if (code === "TEMPLATE_NOT_FOUND") return ' "bulkhead templates" shows those that there are.';
  return "";
}
