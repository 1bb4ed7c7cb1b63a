import * as z from "zod";
import type { Environment, Scope } from "#contracts/access.ts";
import {
  type ApiKeyView,
  apiKeyListSchema,
  createdApiKeySchema,
  type keyLifetimes,
} from "#contracts/control/api-keys.ts";
import { type Evidence, evidenceSchema } from "#contracts/control/evidence.ts";
import { type NetworkAnswer, networkAnswerSchema } from "#contracts/control/network.ts";
import {
  type CreateSandboxRequest,
  type SandboxToken,
  type Timeout,
  timeoutSchema,
  tokenSchema,
} from "#contracts/control/sandboxes.ts";
import { type SecretView, secretListSchema, secretSchema } from "#contracts/control/secrets.ts";
import { type Template, templateListSchema } from "#contracts/control/templates.ts";
import { type AlertsPeer, alertsPeer } from "./alerts/peer.ts";
import { type AuditRecord, auditRecord } from "./audit/record.ts";
import { egressPages } from "./egress/pages.ts";
import type { EgressPages } from "./egress/rows.ts";
import { type CallOptions, call, type Peer } from "./http.ts";
import { type QuarantineApi, quarantineApi } from "./quarantine/api.ts";
import { type CreatedView, createdView, pageView, type SandboxView, sandboxView, stateView } from "./sandbox-view.ts";

export type KeyCreated = z.infer<typeof createdApiKeySchema>;

const anythingSchema = z.unknown();

/** What moves a sandbox from one state to another. */
export const transitions = ["pause", "resume", "stop", "start"] as const;
export type Transition = (typeof transitions)[number];

/** A start waits for a new instance, which takes long in the cloud. */
const startMs = 300_000;

/** The part of the control plane's HTTP API that the command uses. Every method throws CliError with an exit code that fits. */
export interface ControlPlane {
  /** All sandboxes of the key's project, page by page; `status` narrows. Without it those that have ended are left out. */
  sandboxes(status?: string): Promise<readonly SandboxView[]>;
  sandbox(sandboxId: string): Promise<SandboxView>;
  create(request: CreateSandboxRequest, signal?: AbortSignal): Promise<CreatedView>;
  change(sandboxId: string, to: Transition): Promise<z.infer<typeof stateView>>;
  /** Seconds from now; 0 for none. */
  setTimeout(sandboxId: string, seconds: number): Promise<Timeout>;
  network(sandboxId: string): Promise<NetworkAnswer>;
  /** Replaces it. @param policy as `putNetworkSchema` reads it */
  setNetwork(sandboxId: string, policy: unknown): Promise<NetworkAnswer>;
  token(sandboxId: string): Promise<SandboxToken>;
  kill(sandboxId: string): Promise<void>;
  readonly egress: EgressPages;
  readonly audit: AuditRecord;
  readonly quarantine: QuarantineApi;
  /** Everything on record of a sandbox, as it was signed. */
  evidence(sandboxId: string): Promise<Evidence>;
  readonly alerts: AlertsPeer;
  secrets(): Promise<readonly SecretView[]>;
  putSecret(name: string, value: string): Promise<SecretView>;
  removeSecret(name: string): Promise<void>;
  templates(): Promise<readonly Template[]>;
  keys(): Promise<readonly ApiKeyView[]>;
  createKey(request: NewKey): Promise<KeyCreated>;
  /** @param overlapSeconds how long the old key works on; absent: the platform's default */
  rotateKey(keyId: string, overlapSeconds?: number): Promise<KeyCreated>;
  revokeKey(keyId: string): Promise<void>;
}

export interface NewKey {
  readonly name: string;
  /** One of the contract's words (§3.8), or seconds. Absent: the platform's default. */
  readonly expires?: { readonly in: keyof typeof keyLifetimes } | { readonly seconds: number };
  readonly scopes?: readonly Scope[];
  readonly environment?: Environment;
}

export function makeControlPlane(baseUrl: string, apiKey: string): ControlPlane {
  const peer: Peer = {
    baseUrl,
    headers: { "x-api-key": apiKey },
    unreachable: `No platform answers at ${baseUrl}. Start one with "bulkhead start", or say where it runs with --url or BULKHEAD_URL.`,
  };
  const ask = <T>(method: string, path: string, schema: z.ZodType<T>, options?: CallOptions): Promise<T> =>
    call(peer, method, path, schema, options);
  const at = (id: string, rest = ""): string => `/v1/sandboxes/${encodeURIComponent(id)}${rest}`;
  const page = (status: string | undefined, cursor: string | null) => {
    const query = new URLSearchParams({ limit: "100", ...(status && { status }), ...(cursor && { cursor }) });
    return ask("GET", `/v1/sandboxes?${query.toString()}`, pageView);
  };
  return {
    async sandboxes(status) {
      const found: SandboxView[] = [];
      let cursor: string | null = null;
      do {
        const { data, next_cursor }: z.infer<typeof pageView> = await page(status, cursor);
        found.push(...data);
        cursor = next_cursor;
      } while (cursor !== null);
      return found;
    },
    sandbox: (id) => ask("GET", at(id), sandboxView),
    create: (body, signal) =>
      ask("POST", "/v1/sandboxes", createdView, { body, timeoutMs: startMs, ...(signal && { signal }) }),
    change: (id, to) => ask("POST", at(id, `/${to}`), stateView, { timeoutMs: startMs }),
    setTimeout: (id, seconds) => ask("PUT", at(id, "/timeout"), timeoutSchema, { body: { timeout_seconds: seconds } }),
    network: (id) => ask("GET", at(id, "/network"), networkAnswerSchema),
    setNetwork: (id, policy) => ask("PUT", at(id, "/network"), networkAnswerSchema, { body: policy }),
    token: (id) => ask("POST", at(id, "/token/refresh"), tokenSchema),
    kill: async (id) => {
      await ask("DELETE", at(id), anythingSchema);
    },
    egress: egressPages(peer),
    audit: auditRecord(peer),
    quarantine: quarantineApi(peer),
    // Nothing of it may get lost: it is signed as a whole.
    evidence: (id) =>
      ask(
        "GET",
        at(id, "/evidence"),
        z.custom<Evidence>((body) => evidenceSchema.safeParse(body).success),
        {
          timeoutMs: 120_000,
        },
      ),
    alerts: alertsPeer(peer),
    secrets: async () => (await ask("GET", "/v1/secrets", secretListSchema)).data,
    putSecret: (name, value) =>
      ask("PUT", `/v1/secrets/${encodeURIComponent(name)}`, secretSchema, { body: { value } }),
    removeSecret: async (name) => {
      await ask("DELETE", `/v1/secrets/${encodeURIComponent(name)}`, anythingSchema);
    },
    templates: async () => (await ask("GET", "/v1/templates", templateListSchema)).data,
    keys: async () => (await ask("GET", "/auth/api-keys", apiKeyListSchema)).api_keys,
    createKey: (request) => ask("POST", "/auth/api-keys", createdApiKeySchema, { body: keyBody(request) }),
    rotateKey: (id, overlapSeconds) =>
      ask("POST", `/auth/api-keys/${encodeURIComponent(id)}/rotate`, createdApiKeySchema, {
        body: overlapSeconds === undefined ? {} : { overlap_seconds: overlapSeconds },
      }),
    revokeKey: async (id) => {
      await ask("DELETE", `/auth/api-keys/${encodeURIComponent(id)}`, anythingSchema);
    },
  };
}

function keyBody({ name, expires, scopes, environment }: NewKey) {
  return {
    name,
    ...(scopes !== undefined && { scopes }),
    ...(environment !== undefined && { environment }),
    ...(expires !== undefined &&
      ("in" in expires ? { expires_in: expires.in } : { expires_in_seconds: expires.seconds })),
  };
}
