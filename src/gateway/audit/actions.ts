import type { Route } from "../route.ts";

/** What a request asks of a sandbox, in the words of the audit record. */
export interface Action {
  readonly name: string;
  /** Whether its body holds what is run. */
  readonly runs: boolean;
}

/** By method and first segments of an agent's path; the first that fits. `*`: any method. */
const table: readonly (readonly [method: string, path: string, name: string])[] = [
  ["POST", "/execute/background", "exec.background"],
  ["DELETE", "/execute/kill", "exec.kill"],
  ["GET", "/execute/processes", "process.list"],
  ["GET", "/execute/stream", "exec.stream"],
  ["POST", "/execute", "exec.run"],
  ["GET", "/stream", "exec.stream"],
  ["POST", "/commands/background", "command.background"],
  ["GET", "/commands/stream", "command.stream"],
  ["POST", "/commands", "command.run"],
  ["GET", "/terminal", "terminal.open"],
  ["GET", "/files/read", "file.read"],
  ["GET", "/files/download", "file.download"],
  ["GET", "/files/watch", "file.watch"],
  ["GET", "/files", "file.look"],
  ["POST", "/files/write", "file.write"],
  ["POST", "/files/upload", "file.upload"],
  ["POST", "/files/mkdir", "file.mkdir"],
  ["DELETE", "/files", "file.remove"],
  ["GET", "/env", "env.read"],
  ["*", "/env", "env.write"],
  ["GET", "/processes", "process.list"],
];

const running = /^(exec|command)\.(run|background|stream)$/;

/** @param method of the request; a WebSocket's is GET */
export function actionOf(route: Route, method: string): Action {
  if (route.kind === "preview") return { name: "port.request", runs: false };
  const path = pathOf(route.path);
  const found = table.find(
    ([wanted, prefix]) => (wanted === "*" || wanted === method) && (path === prefix || path.startsWith(`${prefix}/`)),
  );
  const name = found?.[2] ?? (method === "GET" || method === "HEAD" ? "agent.read" : "agent.write");
  return { name, runs: running.test(name) };
}

/** Without its query, and not longer than a record needs. */
export function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return (end < 0 ? url : url.slice(0, end)).slice(0, 256);
}
