import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "@hopx-ai/sdk";
import { WebSocket } from "ws";
import { z } from "zod";
import type { RunningPlatform } from "#test/e2e/support/platform.ts";
import { accepted, type ConformanceRow, type Outcome } from "./outcome.ts";

/** WebSockets, which the document lists as GET. */
const sockets = new Set([
  "/terminal",
  "/execute/stream",
  "/files/watch",
  "/stream",
  "/stream/ipython",
  "/commands/stream",
]);

/** `METHOD /path` of every operation of Hopx's own OpenAPI files, taken out of them. */
function documented(name: "public" | "agent"): string[] {
  const file = join(import.meta.dirname, `hopx-routes-${name}.json`);
  return z.array(z.string()).parse(JSON.parse(readFileSync(file, "utf8")));
}

const bodies: Readonly<Record<string, unknown>> = {
  "POST /v1/sandboxes": { template_name: "base" },
  "PUT /v1/sandboxes/{id}/timeout": { timeout_seconds: 600 },
  "POST /execute": { code: "1" },
  "POST /execute/background": { code: "1" },
  "POST /commands/run": { command: "true" },
  "POST /commands/background": { command: "true" },
  "POST /files/write": { path: "/workspace/r.txt", content: "x" },
  "POST /files/mkdir": { path: "/workspace/r" },
  "PUT /env": { env_vars: {} },
  "PATCH /env": { env_vars: {} },
};
const queries: Readonly<Record<string, string>> = {
  "GET /files/read": "?path=/workspace/r.txt",
  "GET /files/download": "?path=/workspace/r.txt",
  "GET /files/exists": "?path=/workspace/r.txt",
  "GET /files/list": "?path=/workspace",
  "DELETE /files/remove": "?path=/workspace/gone.txt",
  "DELETE /execute/kill": "?process_id=none",
};
/** Served, and refused for what was asked here: the code says by which rule. */
const refusals: Readonly<Record<string, readonly [string, Outcome]>> = {
  "DELETE /execute/kill": ["PROCESS_NOT_FOUND", null],
  "DELETE /files/remove": ["FILE_NOT_FOUND", null],
  "POST /files/upload": ["INVALID_REQUEST", null],
  "DELETE /v1/templates/{templateID}": ["FORBIDDEN", null],
};

function expected(operation: string): readonly [string, Outcome] | undefined {
  if (/ \/desktop\//.test(operation)) return ["DESKTOP_NOT_AVAILABLE", accepted.desktop];
  if (/ \/v1\/templates\/(build|files)/.test(operation)) return ["CONFLICT", accepted.build];
  if (/ \/update\//.test(operation)) return ["RESOURCE_NOT_FOUND", accepted.update];
  return refusals[operation];
}

function opens(url: string, token: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
    socket.on("open", () => {
      socket.close();
      resolve(null);
    });
    socket.on("error", (error) => resolve(`FAILED: ${error.message}`));
  });
}

/** Every operation of both documents, asked of a real platform. */
export async function routeRows(
  platform: RunningPlatform,
): Promise<{ control: ConformanceRow[]; agent: ConformanceRow[] }> {
  const sandbox = await Sandbox.create({
    template: "code-interpreter",
    apiKey: platform.apiKey,
    baseURL: platform.url,
  });
  const token = await sandbox.getToken();
  const { publicHost } = await sandbox.getInfo();
  await sandbox.files.write("/workspace/r.txt", "x");

  async function ask(base: string, operation: string, headers: Record<string, string>): Promise<Outcome> {
    const [method = "GET", path = "/"] = operation.split(" ");
    const filled = path
      .replace("{id}", sandbox.sandboxId)
      .replace(/\{(name|templateID)\}/, "base")
      .replaceAll(/\{\w+\}/g, "1");
    if (sockets.has(path)) return opens(`${base.replace("http", "ws")}${filled}`, token);
    const body = bodies[operation] ?? {};
    const answer = await fetch(`${base}${filled}${queries[operation] ?? ""}`, {
      method,
      headers: { ...headers, "content-type": "application/json" },
      ...(method !== "GET" && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const wanted = expected(operation);
    if (wanted === undefined) return answer.ok ? null : `FAILED: ${answer.status} ${text.slice(0, 120)}`;
    const { code } = z.object({ code: z.string() }).parse(JSON.parse(text));
    return code === wanted[0] ? wanted[1] : `FAILED: ${answer.status} ${code}, not ${wanted[0]}`;
  }

  const rowsOf = async (base: string, operations: readonly string[], headers: Record<string, string>) => {
    const rows: ConformanceRow[] = [];
    for (const operation of operations) rows.push({ name: operation, outcome: await ask(base, operation, headers) });
    return rows;
  };
  const agent = await rowsOf(publicHost, documented("agent"), { authorization: `Bearer ${token}` });
  // In an order that a sandbox survives: its end comes last.
  const order = ["resume", "stop", "start", "timeout", "refresh", "DELETE /v1/sandboxes"];
  const rank = (operation: string) => order.findIndex((part) => operation.includes(part));
  const control = [...documented("public")].sort((one, other) => rank(one) - rank(other));
  return { control: await rowsOf(platform.url, control, { "x-api-key": platform.apiKey }), agent };
}
