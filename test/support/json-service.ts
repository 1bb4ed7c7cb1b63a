import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ServiceCall {
  /** `x-amz-target` without the service's name, or the path. */
  readonly operation: string;
  readonly body: unknown;
}

/** What the stand-in answers; null: nothing at all, and the connection is cut. */
export type ServiceAnswer = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
} | null;

/** Stands for an AWS service on the wire, where an emulator cannot be made to fail. */
export interface JsonService {
  readonly calls: ServiceCall[];
  /** For an SDK client's constructor; it tries once, so that a test sees each call. */
  readonly options: {
    readonly region: string;
    readonly endpoint: string;
    readonly maxAttempts: number;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  stop(): Promise<void>;
}

export const testCredentials = { accessKeyId: "test", secretAccessKey: "test" };

/** An error as the JSON protocols write it. */
export function failureOf(name: string, status = 400): ServiceAnswer {
  return { status, headers: { "x-amzn-errortype": name }, body: { __type: name, message: "made by a test" } };
}

export async function startJsonService(
  answer: (call: ServiceCall) => ServiceAnswer | Promise<ServiceAnswer>,
): Promise<JsonService> {
  const calls: ServiceCall[] = [];
  const server = createServer((request, response) => {
    void serve(request, response);
  });
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const target = request.headers["x-amz-target"];
    const operation = typeof target === "string" ? (target.split(".")[1] ?? "") : (request.url ?? "");
    const call = { operation, body: text === "" ? null : (JSON.parse(text) as unknown) };
    calls.push(call);
    const answered = await answer(call);
    if (answered === null) return void request.socket.destroy();
    response.writeHead(answered.status ?? 200, { "content-type": "application/x-amz-json-1.1", ...answered.headers });
    response.end(typeof answered.body === "string" ? answered.body : JSON.stringify(answered.body));
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    calls,
    options: {
      region: "us-east-1",
      endpoint: `http://127.0.0.1:${port}`,
      maxAttempts: 1,
      credentials: testCredentials,
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
