// Stands in for the agent: answers facts about where it runs and runs what it is told, as the agent or as user code.
import { spawn } from "node:child_process";
import { createServer, type ServerResponse } from "node:http";
import { z } from "zod";

const uid = process.env["BULKHEAD_USER_UID"] === undefined ? null : Number(process.env["BULKHEAD_USER_UID"]);
const state = { state: "warm", last_activity_at: Date.now(), active_executions: 0, sandbox_id: "" };
const runSchema = z.object({ script: z.string(), as: z.enum(["agent", "user"]) });

function run({ script, as }: z.infer<typeof runSchema>, response: ServerResponse): void {
  const ids = as === "agent" || uid === null ? {} : { uid, gid: uid };
  const env = { PATH: process.env["PATH"] };
  const child = spawn("/bin/bash", ["-c", script], { ...ids, cwd: "/workspace", env });
  let out = "";
  const collect = (chunk: Buffer): void => {
    if (out.length < 100_000) out += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  child.on("error", (error) => response.end(JSON.stringify({ code: -1, out: String(error) })));
  child.on("close", (code, signal) => response.end(JSON.stringify({ code, signal, out })));
}

function growForEver(): never {
  const kept: Buffer[] = [];
  for (;;) kept.push(Buffer.alloc(8 << 20, 1));
}

createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on("end", () => {
    if (request.url === "/run") {
      run(runSchema.parse(JSON.parse(body)), response);
      return;
    }
    if (request.url === "/exit") process.exit(Number(body));
    if (request.url === "/grow") growForEver();
    if (request.url === "/_bulkhead/activate") {
      state.state = "active";
      state.sandbox_id = z.object({ sandbox_id: z.string() }).parse(JSON.parse(body)).sandbox_id;
    }
    response.end(JSON.stringify(state));
  });
}).listen({ fd: Number(process.env["BULKHEAD_AGENT_FD"]) });
