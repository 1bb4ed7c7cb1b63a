import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { restEvent } from "./events.ts";
import type { World } from "./world.ts";

/** What API Gateway is to the functions: an address that clients can be pointed at. Authorizer first, then the function behind the route. */
export interface FrontDoor {
  readonly url: string;
  close(): void;
}

async function bodyOf(req: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of req) text += String(chunk);
  return text === "" ? undefined : JSON.parse(text);
}

/** @param onLaunch called when a request has asked for an instance that somebody must launch */
export async function openFrontDoor({ functions }: World, onLaunch: () => void): Promise<FrontDoor> {
  const answer = async (req: IncomingMessage) => {
    const { pathname, searchParams } = new URL(req.url ?? "/", "http://door");
    const method = req.method ?? "GET";
    const body = await bodyOf(req);
    const headers = Object.fromEntries(
      Object.entries(req.headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
    );
    const key = headers["x-api-key"] ?? headers["authorization"]?.replace(/^Bearer /, "") ?? "";
    const methodArn = `arn:aws:execute-api:eu-west-1:123456789012:abc123/v1/${method}${pathname.slice(3)}`;
    const { context, policyDocument } = await functions.authorizer({ headers: { "X-API-Key": key }, methodArn });
    if (JSON.stringify(policyDocument).includes("Deny")) return { statusCode: 401, headers: {}, body: "{}" };
    const query = Object.fromEntries(searchParams);
    const event = restEvent({
      ...{ method, path: pathname, body, headers: { ...headers, "X-API-Key": key }, authorizer: context ?? {} },
      ...(searchParams.size > 0 && { query }),
    });
    if (method === "POST" && /^\/v1\/sandboxes(\/[^/]+\/start)?$/.test(pathname)) onLaunch();
    return method === "GET" ? functions.apiRead(event) : functions.apiLifecycle(event);
  };
  const server = createServer((req, res) => {
    answer(req).then(
      (result) => {
        const headers = Object.entries(result.headers ?? {}).map(([name, value]) => [name, String(value)] as const);
        res.writeHead(result.statusCode, Object.fromEntries(headers)).end(result.body);
      },
      (error: unknown) => res.writeHead(502).end(String(error)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
