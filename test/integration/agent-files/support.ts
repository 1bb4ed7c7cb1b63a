import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#agent/clock.ts";
import { type FileRouteOptions, fileRoutes } from "#agent/files/routes.ts";
import { makeRequestMetrics } from "#agent/metrics/request-metrics.ts";
import { makeRouter } from "#agent/router.ts";
import { makeAgentServer } from "#agent/server.ts";
import { makeOpenSockets } from "#agent/ws/open-sockets.ts";
import { noopLogger } from "#telemetry/logger.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly body: Record<string, unknown>;
}

export interface FileServer {
  /** First root. */
  readonly root: string;
  readonly secondRoot: string;
  /** Exists beside the roots; nothing may read or write it. */
  readonly outside: string;
  readonly socket: string;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  send(method: string, path: string, headers: Record<string, string>, body: Buffer): Promise<Answer>;
  close(): Promise<void>;
}

/** The file routes behind the agent's own HTTP server, with two roots and something beside them. */
export async function startFileServer(options: Partial<FileRouteOptions> = {}): Promise<FileServer> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "bulkhead-files-")));
  const [root, secondRoot, outside] = ["workspace", "tmp", "outside"].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ];
  for (const directory of [root, secondRoot, outside]) mkdirSync(directory);
  const socket = join(base, "agent.sock");
  const router = makeRouter(fileRoutes({ roots: [root, secondRoot], logger: noopLogger, ...options }));
  const sockets = { sockets: [], requests: makeRequestMetrics(), openSockets: makeOpenSockets() };
  const server = makeAgentServer({ router, ...sockets, logger: noopLogger, clock: systemClock, onActivity: () => {} });
  await new Promise<void>((resolve) => server.listen(socket, resolve));

  const send: FileServer["send"] = (method, path, headers, body) =>
    new Promise((resolve, reject) => {
      const req = httpRequest({ socketPath: socket, method, path, headers }, (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", reject);
        res.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const json = res.headers["content-type"] === "application/json";
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            bytes,
            body: json ? (JSON.parse(bytes.toString()) as Record<string, unknown>) : {},
          });
        });
      });
      req.on("error", reject);
      req.end(body);
    });

  return {
    root,
    secondRoot,
    outside,
    socket,
    send,
    call: (method, path, body) =>
      send(method, path, {}, body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body))),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(base, { recursive: true, force: true });
    },
  };
}

export interface Part {
  readonly name: string;
  readonly filename?: string;
  readonly content: Buffer | string;
}

export const boundary = "----bulkheadtest";

export function multipart(parts: readonly Part[]): Buffer {
  const chunks = parts.flatMap(({ name, filename, content }) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${filename === undefined ? "" : `; filename="${filename}"`}\r\n` +
        `${filename === undefined ? "" : "content-type: application/octet-stream\r\n"}\r\n`,
    ),
    Buffer.from(content),
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]);
}

export const multipartHeaders = { "content-type": `multipart/form-data; boundary=${boundary}` };
