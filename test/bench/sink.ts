import { createServer } from "node:http";

/** A server in a process of its own that speaks just enough for the client's uploads and downloads, and does nothing with them. */
const mebibyte = Buffer.alloc(1 << 20, 1);
const later = new Date(Date.now() + 7_200_000).toISOString();

const server = createServer((request, response) => {
  const answer = (body: unknown): void => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const { pathname } = new URL(request.url ?? "/", "http://sink");
  if (pathname === "/files/download") {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": 100 * mebibyte.length });
    for (let sent = 0; sent < 100; sent += 1) response.write(mebibyte);
    response.end();
    return;
  }
  request.resume();
  request.on("end", () => {
    if (pathname.endsWith("/token/refresh")) answer({ auth_token: "t", token_expires_at: later });
    else answer({ id: "sink", status: "running", public_host: origin(), success: true });
  });
});

function origin(): string {
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

server.listen(0, "127.0.0.1", () => process.send?.(origin()));
process.once("disconnect", () => process.exit());
