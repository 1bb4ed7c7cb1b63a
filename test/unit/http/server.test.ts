import { type ClientRequest, createServer, type IncomingMessage, request, type Server } from "node:http";
import { connect } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { handle } from "hono/aws-lambda";
import { afterEach, describe, expect, it } from "vitest";
import type { ControlPlane } from "#http/control-plane.ts";
import { nodeSourceIp } from "#http/node-source-ip.ts";
import { aSandbox, id, key, makeHarness, now } from "./fake-control-plane.ts";

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

async function listen(harness: ReturnType<typeof makeHarness>): Promise<number> {
  const answer = getRequestListener(harness.app.fetch);
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return address.port;
}

function responseTo(client: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve) => client.once("response", (answer) => resolve(answer.resume())));
}

function post(port: number, headers: Record<string, string | number>): ClientRequest {
  return request({
    host: "127.0.0.1",
    port,
    method: "POST",
    path: "/v1/sandboxes",
    headers: { "x-api-key": key, "content-type": "application/json", ...headers },
  });
}

/** What a server sends back for raw text, until the connection closes. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setEncoding("utf8");
  socket.end(text);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

const made = { sandbox: aSandbox(), token: { token: "t", expiresAt: now } };

describe("behind a real server", () => {
  it("a create whose caller hangs up learns of it", async () => {
    const body = '{"template_name":"x"}';
    const clients: ClientRequest[] = [];
    const abortedAt = new Promise<{ before: boolean; after: boolean }>((resolve) => {
      const create: ControlPlane["sandboxes"]["create"] = (_, __, { signal }) =>
        new Promise((answer) => {
          const before = signal.aborted;
          signal.addEventListener("abort", () => {
            answer(made);
            resolve({ before, after: signal.aborted });
          });
          for (const client of clients) client.destroy();
        });
      void listen(makeHarness({ sandboxes: { create } })).then((port) => {
        const client = post(port, { "content-length": body.length });
        client.on("error", () => {});
        clients.push(client);
        client.end(body);
      });
    });
    expect(await abortedAt).toEqual({ before: false, after: true });
  });

  it("a create that was answered is not taken for a hang-up", async () => {
    const signals: AbortSignal[] = [];
    const port = await listen(
      makeHarness({
        sandboxes: {
          create: async (_, __, { signal }) => {
            signals.push(signal);
            return made;
          },
        },
      }),
    );
    const answer = await fetch(`http://127.0.0.1:${port}/v1/sandboxes`, {
      method: "POST",
      headers: { "x-api-key": key, connection: "close" },
      body: '{"template_name":"x"}',
    });
    expect(answer.status).toBe(201);
    await answer.json();
    const server = servers.pop();
    await new Promise((closed) => server?.close(closed));
    expect(signals.map((signal) => signal.aborted)).toEqual([false]);
  });

  it("a body without a length is read and bounded", async () => {
    const harness = makeHarness();
    const port = await listen(harness);
    const small = post(port, { "transfer-encoding": "chunked" });
    small.end('{"template_name":"x"}');
    expect((await responseTo(small)).statusCode).toBe(201);
    const large = post(port, { "transfer-encoding": "chunked" });
    large.on("error", () => {});
    large.write('{"template_name":"');
    for (let chunk = 0; chunk < 20; chunk++) large.write("x".repeat(64 * 1024));
    expect((await responseTo(large)).statusCode).toBe(413);
    large.destroy();
  });

  it("an announced body that is too large is refused before it is sent", async () => {
    const port = await listen(makeHarness());
    const client = post(port, { "content-length": 50 * 1024 * 1024 });
    client.on("error", () => {});
    client.flushHeaders();
    expect((await responseTo(client)).statusCode).toBe(413);
    client.destroy();
  });

  it("POST and DELETE with a JSON content type and no body, and an unread body, keep the connection usable", async () => {
    const port = await listen(makeHarness());
    const head = (method: string, path: string, more: string) =>
      `${method} ${path} HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\n${more}`;
    const answer = await raw(
      port,
      head("POST", `/v1/sandboxes/${id}/token/refresh`, "content-length: 0\r\n\r\n") +
        head("POST", `/v1/sandboxes/${id}/token/refresh`, "content-length: 9\r\n\r\nnot json!") +
        head("DELETE", `/v1/sandboxes/${id}`, "connection: close\r\n\r\n"),
    );
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  });

  it("the peer's address is known to audit", async () => {
    const harness = makeHarness({}, { sourceIp: nodeSourceIp });
    const port = await listen(harness);
    await fetch(`http://127.0.0.1:${port}/v1/sandboxes/${id}`, { headers: { "x-api-key": key } });
    expect(harness.calls.at(-1)?.args.at(-1)).toMatchObject({ sourceIp: "127.0.0.1" });
    expect(nodeSourceIp(undefined)).toBeNull();
  });
});

it("the app can be mounted in a Lambda function", async () => {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- its successor is a package of Hono 5
  const handler = handle(makeHarness().app);
  const answer = await handler({
    version: "2.0",
    routeKey: "$default",
    rawPath: `/v1/sandboxes/${id}`,
    rawQueryString: "",
    headers: { "x-api-key": key },
    isBase64Encoded: false,
    requestContext: {
      accountId: "1",
      apiId: "a",
      authentication: null,
      authorizer: {},
      domainName: "d.example",
      domainPrefix: "d",
      http: { method: "GET", path: "/", protocol: "HTTP/1.1", sourceIp: "1.2.3.4", userAgent: "u" },
      requestId: "r",
      routeKey: "$default",
      stage: "$default",
      time: "t",
      timeEpoch: now,
    },
  } as unknown as Parameters<typeof handler>[0]);
  expect(answer).toMatchObject({ statusCode: 200 });
});
