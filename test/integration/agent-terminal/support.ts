import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { WebSocket } from "ws";
import { z } from "zod";
import { type AgentProcess, startAgent } from "../agent/agent-process.ts";

/** Somebody else than the agent, who is root in these tests. */
export const userId = 4321;

const require = createRequire(import.meta.url);

/** An agent that runs user code as somebody else and has the native part of terminals. */
export async function startUserAgent(
  options: { readonly pty?: boolean; readonly user?: boolean } = {},
): Promise<AgentProcess> {
  const id = options.user === false ? undefined : String(userId);
  const agent = await startAgent({ BULKHEAD_USER_UID: id, BULKHEAD_USER_GID: id });
  chownSync(agent.directory, userId, userId);
  chmodSync(agent.directory, 0o755);
  if (options.pty !== false) {
    const lib = join(agent.directory, "tools/lib");
    mkdirSync(lib, { recursive: true });
    copyFileSync(require.resolve(`@lydell/node-pty-linux-${process.arch}/pty.node`), join(lib, "pty.node"));
  }
  return agent;
}

const frameSchema = z.looseObject({ type: z.string() });
export type Frame = z.infer<typeof frameSchema>;

export interface Socket {
  readonly ws: WebSocket;
  readonly frames: Frame[];
  send(frame: object): void;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
}

/** A caller's socket, open. Rejects with the status when it is refused. */
export async function openSocket(agent: AgentProcess, path: string): Promise<Socket> {
  const ws = new WebSocket(`ws+unix:${agent.socketPath}:${path}`);
  const frames: Frame[] = [];
  ws.on("message", (data: Buffer) => frames.push(frameSchema.parse(JSON.parse(data.toString()))));
  const closed = new Promise<number>((resolve) => ws.on("close", resolve));
  await Promise.race([
    once(ws, "open"),
    new Promise((_, reject) => {
      ws.on("error", reject);
    }),
  ]);
  return { ws, frames, closed, send: (frame) => ws.send(JSON.stringify(frame)) };
}
