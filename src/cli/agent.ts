import { Readable } from "node:stream";
import type { WebSocket } from "ws";
import type * as z from "zod";
import type { SandboxToken } from "#contracts/control/sandboxes.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type CallOptions, call, type Peer, send } from "./http.ts";
import type { SandboxView } from "./sandbox-view.ts";
import { openSocket } from "./socket.ts";

/** The agent of one sandbox, reached through the gateway. */
export interface Agent {
  readonly sandboxId: string;
  readonly peer: Peer;
  call<T>(method: string, path: string, schema: z.ZodType<T>, options?: CallOptions): Promise<T>;
  /** Bytes of a file as they come. */
  download(path: string, signal?: AbortSignal): Promise<{ readonly body: Readable; readonly size: number | undefined }>;
  /** Resolves when the agent has accepted. */
  socket(path: string, signal?: AbortSignal): Promise<WebSocket>;
}

/** For a transfer, whose length nobody knows. */
const transferMs = 24 * 3600 * 1000;

export async function connectAgent(controlPlane: ControlPlane, sandboxId: string): Promise<Agent> {
  const [sandbox, token] = await Promise.all([controlPlane.sandbox(sandboxId), controlPlane.token(sandboxId)]);
  return agentOf({ ...sandbox, ...token });
}

/** With the token that a create answers. */
export function agentOf(sandbox: Pick<SandboxView, "id" | "public_host"> & Pick<SandboxToken, "auth_token">): Agent {
  const { id, public_host: baseUrl, auth_token: token } = sandbox;
  const peer: Peer = {
    baseUrl,
    headers: { authorization: `Bearer ${token}` },
    unreachable: `Sandbox ${id} cannot be reached at ${baseUrl}. "bulkhead show ${id}" says whether it runs.`,
  };
  return {
    sandboxId: id,
    peer,
    call: (method, path, schema, options) => call(peer, method, path, schema, options),
    socket: (path, signal) => openSocket(peer, path, signal),
    async download(path, signal) {
      const query = new URLSearchParams({ path }).toString();
      const options = { timeoutMs: transferMs, ...(signal && { signal }) };
      const response = await send(peer, "GET", `/files/download?${query}`, options);
      const length = response.headers.get("content-length");
      const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body);
      return { body, size: length === null ? undefined : Number(length) };
    },
  };
}
