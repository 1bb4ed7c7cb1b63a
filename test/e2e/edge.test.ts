import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { ask, type CreatedSandbox, createRaw } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { exchangeRaw, openRaw, type RawSocket } from "./support/raw-socket.ts";
import { until } from "./support/until.ts";

let platform: RunningPlatform;
let sandbox: CreatedSandbox;

beforeAll(async () => {
  platform = await startPlatform();
  sandbox = await createRaw(platform);
  return async () => {
    await platform.stop();
  };
});

const doors = [
  ["the control plane", () => platform.url, "/v1/sandboxes"],
  ["the gateway", () => platform.gatewayUrl, "/execute"],
] as const;

/** Both doors serve at once, whatever else is going on. */
async function bothServe(): Promise<void> {
  for (const [, origin] of doors)
    expect(await ask(origin(), "/health", { timeoutMs: 5000 })).toMatchObject({ status: 200 });
}

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));

describe.each(doors)("%s", (_, origin, path) => {
  const head = () =>
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${platform.apiKey}\r\nContent-Type: application/json\r\n`;
  const smuggled = "GET /v1/secret HTTP/1.1\r\nHost: localhost\r\n\r\n";

  it.each([
    [
      "a length and chunks at once",
      () => `${head()}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    ["two lengths", () => `${head()}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}${smuggled}`],
    [
      "an encoding that is no encoding",
      () => `${head()}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    ["a blank before the colon", () => `${head()}Content-Length : 2\r\n\r\n{}${smuggled}`],
    ["a folded header", () => `${head()}X-A: b\r\n Content-Length: 40\r\n\r\n${smuggled}`],
    ["a length that is no number", () => `${head()}Content-Length: +2\r\n\r\n{}${smuggled}`],
    ["a line end in the path", () => `GET ${path}\r\nX: y HTTP/1.1\r\nHost: a\r\n\r\n`],
    [
      "a chunk size that is too large",
      () => `${head()}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n${smuggled}`,
    ],
  ])("answers %s once, and reads nothing after it", async (_name, bytes) => {
    const text = await exchangeRaw(origin(), bytes());
    expect(statuses(text)).toHaveLength(1);
    expect(statuses(text)[0]).toBeGreaterThanOrEqual(400);
    expect(statuses(text)[0]).toBeLessThan(500);
  });

  it("refuses a head that is too large by a typed error", async () => {
    const text = await exchangeRaw(
      origin(),
      `GET ${path} HTTP/1.1\r\nHost: a\r\nX-A: ${"a".repeat(64 * 1024)}\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 431 /);
    expect(JSON.parse(text.slice(text.indexOf("\r\n\r\n")))).toMatchObject({
      code: "HEADERS_TOO_LARGE",
      request_id: expect.stringMatching(/^req_/) as string,
    });
  });

  it("takes a compressed body for what it is, and a deep one for no JSON", async () => {
    const headers = {
      "x-api-key": platform.apiKey,
      authorization: `Bearer ${sandbox.auth_token}`,
      "content-type": "application/json",
    };
    const bomb = gzipSync(Buffer.alloc(8 * 1024 * 1024));
    const deep = "[".repeat(1_000_000);
    for (const body of [bomb, Buffer.from(deep), Buffer.from(`{"a":${deep}`)]) {
      const answer = await ask(origin(), path, {
        method: "POST",
        headers: { ...headers, "content-encoding": "gzip" },
        body,
      });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
    await bothServe();
  });
});

describe("many at once", () => {
  it("that never finish their heads are closed, and nobody else waits for them", { timeout: 60_000 }, async () => {
    const slow: RawSocket[] = [];
    for (const [, origin, path] of doors) {
      for (let count = 0; count < 200; count += 1) {
        const raw = await openRaw(origin());
        raw.socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nX-A: `);
        slow.push(raw);
      }
    }
    const drip = setInterval(() => {
      for (const { socket } of slow) if (socket.writable) socket.write("a");
    }, 1000);
    try {
      await bothServe();
      await until("all are closed", async () => slow.every(({ socket }) => socket.destroyed), { timeoutMs: 40_000 });
      expect([...new Set(slow.map((raw) => raw.text().slice(0, 12)))]).toEqual(["HTTP/1.1 408"]);
    } finally {
      clearInterval(drip);
    }
  });

  it("that say nothing at all are kept, and nobody else waits for them", { timeout: 60_000 }, async () => {
    const idle: RawSocket[] = [];
    for (const [, origin] of doors) {
      for (let count = 0; count < 1500; count += 1) idle.push(await openRaw(origin()));
    }
    await bothServe();
    for (const { socket } of idle) socket.destroy();
  });
});

describe("a WebSocket message that grows a thousandfold when it is opened", () => {
  it("ends its own connection, and the agent lives on", async () => {
    const url = `${platform.gatewayUrl.replace("http", "ws")}/execute/stream`;
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${sandbox.auth_token}` },
      perMessageDeflate: { threshold: 0 },
    });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.send(Buffer.alloc(256 * 1024 * 1024).toString("latin1"));
    expect([1006, 1009]).toContain(await closed);
    const answer = await ask(platform.gatewayUrl, "/health", {
      headers: { authorization: `Bearer ${sandbox.auth_token}` },
    });
    expect(answer).toMatchObject({ status: 200 });
  });
});
