import * as z from "zod";
import {
  type ApiKeyView,
  apiKeyListSchema,
  createdApiKeySchema,
  type keyLifetimes,
} from "#contracts/control/api-keys.ts";
import { type Sandbox, sandboxListSchema } from "#contracts/control/sandboxes.ts";
import { CliError, exitCodeOfStatus, exitCodes } from "./failure.ts";

export type KeyCreated = z.infer<typeof createdApiKeySchema>;
const refusalSchema = z.object({ message: z.string() });
const anythingSchema = z.unknown();

/** The part of the control plane's HTTP API that the command uses. */
export interface ControlPlane {
  /** All sandboxes of the key's project, page by page; `status` narrows. */
  sandboxes(status?: string): Promise<readonly Sandbox[]>;
  kill(sandboxId: string): Promise<void>;
  keys(): Promise<readonly ApiKeyView[]>;
  createKey(request: NewKey): Promise<KeyCreated>;
  revokeKey(keyId: string): Promise<void>;
}

export interface NewKey {
  readonly name: string;
  /** One of the contract's words (§3.8), or seconds. Absent: the platform's default. */
  readonly expires?: { readonly in: keyof typeof keyLifetimes } | { readonly seconds: number };
}

/** @throws CliError that says what to do next, with the exit code that fits */
export function makeControlPlane(baseUrl: string, apiKey: string): ControlPlane {
  const call = async <T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> => {
    const response = await send(baseUrl, apiKey, method, path, body);
    const answer: unknown = await response.json().catch(() => undefined);
    if (!response.ok) throw refusal(response.status, answer, method, path);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new CliError(`${baseUrl} answered ${method} ${path} in a form this command does not know. Is it Bulkhead?`);
  };
  return {
    async sandboxes(status) {
      const found: Sandbox[] = [];
      let cursor: string | null = null;
      do {
        const query = new URLSearchParams({ limit: "100", ...(status && { status }), ...(cursor && { cursor }) });
        const page: z.infer<typeof sandboxListSchema> = await call(
          "GET",
          `/v1/sandboxes?${query.toString()}`,
          sandboxListSchema,
        );
        found.push(...page.data);
        cursor = page.next_cursor;
      } while (cursor !== null);
      return found;
    },
    async kill(sandboxId) {
      await call("DELETE", `/v1/sandboxes/${encodeURIComponent(sandboxId)}`, anythingSchema);
    },
    async keys() {
      return (await call("GET", "/auth/api-keys", apiKeyListSchema)).api_keys;
    },
    createKey({ name, expires }) {
      const expiry =
        expires === undefined
          ? {}
          : "in" in expires
            ? { expires_in: expires.in }
            : { expires_in_seconds: expires.seconds };
      return call("POST", "/auth/api-keys", createdApiKeySchema, { name, ...expiry });
    },
    async revokeKey(keyId) {
      await call("DELETE", `/auth/api-keys/${encodeURIComponent(keyId)}`, anythingSchema);
    },
  };
}

async function send(baseUrl: string, apiKey: string, method: string, path: string, body: unknown): Promise<Response> {
  try {
    return await fetch(new URL(path, baseUrl), {
      method,
      headers: { "x-api-key": apiKey, "content-type": "application/json" },
      signal: AbortSignal.timeout(60_000),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new CliError(
      `No platform answers at ${baseUrl}. Start one with "bulkhead start", or say where it runs with --url or BULKHEAD_URL.`,
      exitCodes.other,
      cause,
    );
  }
}

function refusal(status: number, answer: unknown, method: string, path: string): CliError {
  const parsed = refusalSchema.safeParse(answer);
  const told = parsed.success ? parsed.data.message : `${method} ${path} was answered with HTTP ${status}.`;
  const next =
    status === 401 ? ' Pass a valid key with --api-key or BULKHEAD_API_KEY; "bulkhead start" says where one is.' : "";
  return new CliError(told + next, exitCodeOfStatus(status));
}
