import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Sandbox } from "@hopx-ai/sdk";
import { startPlatform } from "#test/e2e/support/platform.ts";
import type { Row } from "../report.ts";
import { summarize } from "../statistics.ts";

/** Connects again and again, and says when it was first refused (epoch milliseconds). */
const untilRefused = (port: number) => `
import socket, time
while True:
    s = socket.create_connection(('127.0.0.1', 3128)); s.sendall(b'CONNECT open.test:${port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
    answer = s.recv(200); s.close()
    if b' 403 ' in answer: break
print(time.time() * 1000)
`;

/** From PUT …/network until a program inside is refused, on a real platform. */
export async function policyChange(n: number): Promise<Row> {
  const server = createServer((_, res) => res.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const platform = await startPlatform({
    env: { BULKHEAD_EGRESS_ALLOW: "127.0.0.1", BULKHEAD_EGRESS_HOSTS: "open.test=127.0.0.1" },
  });
  const samples: number[] = [];
  try {
    const sandbox = await Sandbox.create({ template: "base", apiKey: platform.apiKey, baseURL: platform.url });
    const put = (mode: string) =>
      fetch(`${platform.url}/v1/sandboxes/${sandbox.sandboxId}/network`, {
        method: "PUT",
        headers: { "x-api-key": platform.apiKey, "content-type": "application/json" },
        body: JSON.stringify({ mode }),
      });
    const program = Buffer.from(untilRefused(port)).toString("base64");
    for (let round = 0; round < n; round += 1) {
      await put("observe");
      const refused = sandbox.commands.run(`echo ${program} | base64 -d | python3 -`, { timeout: 20 });
      await new Promise((resolve) => setTimeout(resolve, 300));
      const began = Date.now();
      await put("deny-all");
      samples.push(Number((await refused).stdout) - began);
    }
    await sandbox.kill();
  } finally {
    await platform.stop();
    server.close();
  }
  const summary = summarize(samples);
  return {
    what: "policy changed → refused inside",
    unit: "ms",
    summary,
    target: "≤ 1000 ms",
    met: summary.max <= 1_000,
  };
}
