import type { BulkheadError } from "#contracts/errors.ts";
import type { Clock, DataAudit, DataEvent } from "#core/ports.ts";
import type { Route } from "../route.ts";
import { type Action, actionOf, pathOf } from "./actions.ts";
import { type BodyWatch, makeBodyWatch } from "./executed.ts";
import { makeMessageReader } from "./messages.ts";
import { makeNoteBudget } from "./notes.ts";

/** Who a request came from, as far as that was found out. */
export interface SeenCaller {
  /** null: not known yet. */
  readonly projectId: string | null;
  readonly actor: string;
  readonly keyId: string | null;
  readonly scopes: readonly string[];
}

export interface GatewayAuditDeps {
  readonly audit: DataAudit;
  readonly clock: Clock;
  /** Whether the text of what is run is kept, beside its hash and size. */
  readonly content: boolean;
}

export interface Asking {
  readonly requestId: string;
  readonly sourceIp: string | null;
  readonly method: string;
  readonly seen: { readonly sourceIp?: string | null; readonly method?: string; caller?: SeenCaller };
}

/** One request on its way into the record. */
export interface AuditEntry {
  readonly seen: Asking["seen"];
  /** To be called once, when the request's path is understood. */
  routed(route: Route): void;
  /** The sandbox, where the path does not name it. */
  found(sandboxId: string): void;
  /** What the caller sends, where that is what is run. */
  readonly watch: ((chunk: Uint8Array) => void) | undefined;
  /** What the caller sends on a WebSocket. */
  readonly watchSocket: ((chunk: Uint8Array) => void) | undefined;
  /** The answer has begun, or the WebSocket is open; null: the caller hung up before. */
  answered(status: number | null): void;
  refused(error: BulkheadError): void;
}

/** Requests to a user's own port are recorded once a minute for each caller and port; refusals are, sixty times a minute for each caller. */
const portsPerMinute = 1;
const refusalsPerMinute = 60;

export function makeGatewayAudit({ audit, clock, content }: GatewayAuditDeps): (asking: Asking) => AuditEntry {
  const ports = makeNoteBudget(clock, portsPerMinute);
  const refusals = makeNoteBudget(clock, refusalsPerMinute);

  return (asking) => {
    const startedAt = clock.now();
    let route: Route | null = null;
    let sandboxId: string | null = null;
    let action: Action = { name: "request.refuse", runs: false };
    let body: BodyWatch | undefined;

    const note = (outcome: DataEvent["outcome"], more: Readonly<Record<string, unknown>>, name = action.name) => {
      const { requestId, sourceIp, method, seen } = asking;
      const { caller } = seen;
      audit.note({
        projectId: caller?.projectId ?? null,
        actor: caller?.actor ?? "nobody",
        scopes: caller?.scopes ?? [],
        action: name,
        target: sandboxId,
        outcome,
        requestId,
        sourceIp,
        startedAt,
        details: { method, ...where(route), ...keyOf(caller), ...more },
      });
    };
    const executed = () => {
      const run = body?.executed(content);
      return run === undefined ? {} : { executed: run };
    };
    const omit = (omitted: number) => (omitted === 0 ? {} : { omitted });

    const answered = (status: number | null) => {
      if (route?.kind === "preview" && (status ?? 0) < 500) {
        const omitted = ports.take(`${asking.seen.caller?.actor ?? "nobody"} ${sandboxId} ${route.port}`);
        if (omitted !== null) note("allowed", { status, ...omit(omitted) });
        return;
      }
      note(status === null || status < 400 ? "allowed" : status < 500 ? "refused" : "failed", {
        status,
        ...executed(),
      });
    };

    return {
      seen: asking.seen,
      routed(found) {
        route = found;
        if (found.kind !== "root") ({ sandboxId } = found);
        action = actionOf(found, asking.method);
        if (action.runs) body = makeBodyWatch();
      },
      found(id) {
        sandboxId = id;
      },
      get watch() {
        return body?.see;
      },
      get watchSocket() {
        if (!action.runs) return undefined;
        const reader = makeMessageReader((message) => {
          const run = makeBodyWatch();
          run.see(message);
          note("allowed", { executed: run.executed(content) }, action.name.replace(".stream", ".run"));
        });
        return reader.see;
      },
      answered,
      refused(error) {
        const name = error.status === 401 ? "auth.refuse" : action.name;
        const omitted = refusals.take(`${asking.seen.caller?.actor ?? "nobody"} ${asking.sourceIp}`);
        if (omitted === null) return;
        note(error.status < 500 ? "refused" : "failed", { code: error.code, ...omit(omitted) }, name);
      },
    };
  };
}

/** Paths of files are what was done; those of a user's own server may carry anything and are left out. */
function where(route: Route | null): Readonly<Record<string, unknown>> {
  if (route === null) return {};
  if (route.kind === "preview") return { port: route.port };
  const file = new URLSearchParams(route.path.split("?")[1] ?? "").get("path");
  return { path: pathOf(route.path), ...(file !== null && { file: file.slice(0, 512) }) };
}

function keyOf(caller: SeenCaller | undefined): Readonly<Record<string, unknown>> {
  return caller === undefined || caller.keyId === null || caller.keyId === caller.actor ? {} : { key: caller.keyId };
}
