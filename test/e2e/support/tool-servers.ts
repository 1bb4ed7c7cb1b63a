import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { build } from "esbuild";
import { WebSocketServer } from "ws";
import { systemClock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";

/** Servers on this machine that tools in a sandbox reach by its name. */
export interface ToolServers {
  readonly host: string;
  /** HTTPS: `/hello`, a git repository at `/repo.git` with one commit "first", WebSockets that echo. */
  readonly port: number;
  /** The authority of its certificate, PEM. */
  readonly caFile: string;
  /** Greets as an SSH server does and keeps what clients greet with. */
  readonly sshPort: number;
  readonly greetings: readonly string[];
  close(): void;
}

export async function startToolServers(): Promise<ToolServers> {
  const directory = mkdtempSync(join(tmpdir(), "bulkhead-tools-"));
  const host = hostname().toLowerCase();
  const authority = await makeAuthority({ deployment: "test", clock: systemClock });
  const certificates = makeCertificates({ authority, clock: systemClock });
  const caFile = join(directory, "ca.pem");
  writeFileSync(caFile, authority.certificatePem);
  makeRepository(directory);
  const secureContext = await certificates.contextFor(host);
  const web = createHttpsServer({ SNICallback: (_name, done) => done(null, secureContext) }, (request, response) =>
    serve(directory, request, response),
  );
  new WebSocketServer({ server: web }).on("connection", (socket) =>
    socket.on("message", (data: Buffer) => socket.send(`echo ${data.toString()}`)),
  );
  const greetings: string[] = [];
  const ssh = createServer((socket) => {
    socket.on("error", () => {}).write("SSH-2.0-Test_1.0\r\n");
    socket.once("data", (data) => {
      greetings.push(data.toString("latin1").split("\r\n")[0] ?? "");
      socket.end();
    });
  });
  return {
    host,
    caFile,
    port: await listening(web),
    sshPort: await listening(ssh),
    greetings,
    close() {
      web.close();
      web.closeAllConnections();
      ssh.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function listening(server: Server): Promise<number> {
  await once(server.listen(0), "listening");
  return (server.address() as AddressInfo).port;
}

function makeRepository(directory: string): void {
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.email=t@example.com", "-c", "user.name=t", ...args], {
      cwd: directory,
      stdio: "pipe",
    });
  git("init", "-q", "work");
  git("-C", "work", "commit", "-q", "--allow-empty", "-m", "first");
  git("clone", "-q", "--bare", "work", "repo.git");
  git("-C", "repo.git", "update-server-info");
}

/** Files as they lie: git reads repositories so, too. */
function serve(directory: string, request: IncomingMessage, response: ServerResponse): void {
  const path = normalize(new URL(request.url ?? "/", "https://h").pathname);
  try {
    if (path === "/hello") response.end("hello\n");
    else if (path.startsWith("/repo.git/")) response.end(readFileSync(join(directory, path)));
    else throw new Error("no such file");
  } catch {
    response.writeHead(404).end();
  }
}

/** A program that says "hi" over a WebSocket to `url` and prints what comes back; needs no packages. */
export async function webSocketProgram(url: string): Promise<string> {
  const contents = `
    import { globalAgent } from "node:https";
    import WebSocket from "ws";
    const socket = new WebSocket(${JSON.stringify(url)}, { agent: globalAgent });
    socket.on("open", () => socket.send("hi"));
    socket.on("message", (data) => { console.log(String(data)); socket.close(); });
    socket.on("error", (error) => { console.log(error.message); process.exitCode = 1; });`;
  const stdin = { contents, resolveDir: import.meta.dirname };
  const { outputFiles } = await build({
    stdin,
    bundle: true,
    platform: "node",
    format: "cjs",
    write: false,
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}
