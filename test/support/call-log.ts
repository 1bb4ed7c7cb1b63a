import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** Passes AWS calls on and remembers what they were: `DynamoDB PutItem`, `TrentService Sign`, `EC2 CreateSecurityGroup`. */
export interface CallLog {
  readonly url: string;
  /** Since the last `clear`. */
  readonly calls: readonly string[];
  /** Notes a call that went elsewhere. */
  add(call: string): void;
  clear(): void;
  stop(): Promise<void>;
}

export async function startCallLog(target: string): Promise<CallLog> {
  const calls: string[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const body = Buffer.concat(chunks);
      calls.push(nameOf(String(req.headers["x-amz-target"] ?? ""), req.method ?? "", req.url ?? "", body.toString()));
      const passed = request(target + (req.url ?? ""), { method: req.method, headers: req.headers }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      });
      passed.on("error", () => res.destroy());
      passed.end(body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    add: (call) => void calls.push(call),
    clear: () => void calls.splice(0),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The JSON protocols name service and operation in a header, the query protocol in the body, REST by method and path. */
function nameOf(target: string, method: string, url: string, body: string): string {
  if (target !== "")
    return target
      .replace(/_\d+\./, " ")
      .replace(/V\d+ /, " ")
      .replace(".", " ");
  const action = /(?:^|&)Action=(\w+)/.exec(body)?.[1];
  return action === undefined ? `${method} ${url.split("?")[0] ?? ""}` : `EC2 ${action}`;
}
