import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { verifyWebhook } from "#core/webhooks/sign.ts";
import { agent, ask, type CreatedSandbox, createRaw } from "./support/http.ts";
import { bulkhead, type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

let platform: RunningPlatform;
let sandbox: CreatedSandbox;
let receiver: Server;
const received: { readonly body: string; readonly signature: string }[] = [];

beforeAll(async () => {
  receiver = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      received.push({
        body: Buffer.concat(chunks).toString(),
        signature: String(req.headers["bulkhead-signature"]),
      });
      // The first try is refused: it comes again.
      res.writeHead(received.length === 1 ? 503 : 200).end();
    });
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const address = receiver.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  platform = await startPlatform({
    env: { BULKHEAD_ALERT_WEBHOOK: `http://127.0.0.1:${port}/`, BULKHEAD_QUARANTINE_ON: "decoy.used" },
  });
  sandbox = await createRaw(platform);
  return async () => {
    await platform.stop();
    receiver.close();
  };
});

const withKey = (key: string) => ask(platform.url, "/v1/sandboxes", { headers: { "x-api-key": key } });

async function shell(command: string): Promise<string> {
  const { body } = await agent(sandbox, "POST", "/commands/run", { command });
  return (body as { stdout: string }).stdout.trim();
}

describe("the decoy of a sandbox", () => {
  it("is found by who searches, and raises an alert when it is shown, which holds the sandbox", async () => {
    const decoy = await until("decoy", async () => (await shell("cat /run/secrets/* 2>/dev/null")) || undefined);
    expect(decoy).toMatch(/^hopx_live_[A-Za-z0-9]{12}\.[A-Za-z0-9_-]{43}$/);
    expect(await shell("env")).not.toContain(decoy);
    expect(await shell("ls -A /workspace /tmp")).not.toContain("bulkhead-admin-key");
    const shown = await withKey(decoy);
    const unknown = await withKey(`hopx_live_${"A".repeat(12)}.${"b".repeat(43)}`);
    const without = ({ text }: { readonly text: string }) => text.replaceAll(/req_[a-z0-9]{20}/g, "");
    expect([shown.status, without(shown)]).toEqual([401, without(unknown)]);

    await until("second post", () => received.length === 2);
    const secret = readFileSync(join(platform.home, "alert-webhook-secret"), "utf8").trim();
    for (const { body, signature } of received) {
      expect(verifyWebhook(secret, body, signature, Date.now() / 1000)).toBe(true);
      expect(verifyWebhook(secret, `${body} `, signature, Date.now() / 1000)).toBe(false);
      expect(body).not.toContain(decoy);
    }
    expect(JSON.parse(received[1]?.body ?? "")).toMatchObject({
      ...{ type: "alert", rule: "decoy.used", severity: "critical", subject: sandbox.id },
      runbook: "docs/runbooks.md#decoy-used",
    });

    await until("quarantine", async () => {
      const { status, text } = await ask(platform.url, `/v1/sandboxes/${sandbox.id}/resume`, {
        method: "POST",
        headers: { "x-api-key": platform.apiKey },
      });
      return status === 409 && text.includes("SANDBOX_QUARANTINED");
    });
    expect(platform.output()).not.toContain(decoy);
    const listed = await cli("keys", "list");
    expect(listed).not.toContain(decoy.slice(10, 22));
  });

  it("is another one when a stopped sandbox starts again", async () => {
    const other = await createRaw(platform);
    const find = () =>
      until("decoy", async () => {
        const { body } = await agent(other, "POST", "/commands/run", { command: "cat /run/secrets/*" });
        return (body as { stdout: string }).stdout.trim() || undefined;
      });
    const before = await find();
    for (const to of ["stop", "start"]) {
      const { status } = await ask(platform.url, `/v1/sandboxes/${other.id}/${to}`, {
        method: "POST",
        headers: { "x-api-key": platform.apiKey },
      });
      expect(status).toBe(200);
    }
    const after = await find();
    expect(after).toMatch(/^hopx_live_/);
    expect(after).not.toBe(before);
  });

  it("stands in the list of alerts until somebody acknowledges it", async () => {
    const [alert] = JSON.parse(await cli("alerts", "list", "--open", "--json")) as { id: string; rule: string }[];
    expect(alert?.rule).toBe("decoy.used");
    expect(await cli("alerts")).toContain(`critical  decoy.used  ${sandbox.id}`);
    expect(await cli("alerts", "ack", alert?.id ?? "")).toContain("acknowledged by");
    expect(await cli("alerts", "list", "--open")).toContain("No alerts.");
    const gone = await bulkhead(["alerts", "ack", "al_nothing", ...connection()]);
    expect(gone.code).not.toBe(0);
  });
});

const connection = () => ["--url", platform.url, "--api-key", platform.apiKey];

async function cli(...args: string[]): Promise<string> {
  return (await bulkhead([...args, ...connection()])).stdout;
}
