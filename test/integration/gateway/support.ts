import { mkdtemp, rm } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#core/system-clock.ts";
import { type Gateway, makeGateway } from "#gateway/gateway.ts";
import type { GatewayOptions, Target } from "#gateway/ports.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aTarget, sandboxId, testKeys, testTokens } from "../../unit/gateway/support.ts";

export { sandboxId } from "../../unit/gateway/support.ts";
export const token = `Bearer ${sandboxId}/1`;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** The body as JSON. */
  json(): unknown;
}

export interface World {
  readonly gateway: Gateway;
  readonly port: number;
  readonly agent: Server;
  readonly touched: string[];
  readonly counted: string[];
  /** Directory answers from now on. */
  target: Target | undefined;
  ask(
    path: string,
    options?: { method?: string; headers?: OutgoingHttpHeaders; body?: Buffer | string },
  ): Promise<Answer>;
  end(): Promise<void>;
}

/** A gateway on a free port, in front of one agent on a Unix socket. */
export async function makeWorld(onRequest: RequestListener, options: GatewayOptions = {}): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-gateway-"));
  const path = join(directory, "agent.sock");
  const agent = createServer(onRequest);
  await new Promise<void>((resolve) => agent.listen(path, resolve));
  const touched: string[] = [];
  const counted: string[] = [];
  const gateway = makeGateway({
    directory: { resolve: () => Promise.resolve(world.target) },
    tokens: testTokens,
    keys: testKeys,
    activity: {
      async touch(id) {
        touched.push(id);
      },
    },
    clock: systemClock,
    logger: noopLogger,
    metrics: { count: (name) => void counted.push(name) },
    options: { cacheMs: 0, settleMs: 300, ...options },
  });
  await new Promise<void>((resolve) => gateway.server.listen(0, "127.0.0.1", resolve));
  const address = gateway.server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const world: World = {
    gateway,
    port,
    agent,
    touched,
    counted,
    target: aTarget({ endpoint: { kind: "unix", path } }),
    ask: (to, asked = {}) => ask(port, to, asked),
    async end() {
      await gateway.close(100);
      agent.closeAllConnections();
      await new Promise((resolve) => agent.close(resolve));
      await rm(directory, { recursive: true });
    },
  };
  return world;
}

function ask(
  port: number,
  path: string,
  asked: { method?: string; headers?: OutgoingHttpHeaders; body?: Buffer | string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({
      port,
      host: "127.0.0.1",
      path,
      method: asked.method ?? "GET",
      headers: asked.headers,
      agent: false,
    });
    req.on("error", reject);
    req.on("response", (res) => {
      const chunks: Buffer[] = [];
      res.on("error", reject);
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("end", () => {
        const body = Buffer.concat(chunks);
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body,
          json: (): unknown => JSON.parse(body.toString()),
        });
      });
    });
    req.end(asked.body);
  });
}
