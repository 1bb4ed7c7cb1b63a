import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import type { RunningPlatform } from "./platform.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Parsed JSON, or undefined. */
  readonly body: unknown;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly timeoutMs?: number;
}

/** One request without any client in between: the path goes out exactly as written (no dot segments are resolved). */
export function ask(
  origin: string,
  path: string,
  { method = "GET", headers, body, timeoutMs = 60_000 }: Ask = {},
): Promise<Answer> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        hostname,
        port,
        path,
        method,
        headers: { ...headers, ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }) },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parseJson(text) });
        });
      },
    );
    request.setTimeout(timeoutMs, () =>
      request.destroy(new Error(`no answer to ${method} ${path} within ${timeoutMs} ms`)),
    );
    request.on("error", reject);
    request.end(body);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A request to the control plane with the platform's own key and a JSON body. */
export function control(
  platform: RunningPlatform,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return ask(platform.url, path, {
    method,
    headers: { "x-api-key": platform.apiKey, "content-type": "application/json", ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

const createdSchema = z.looseObject({
  id: z.string(),
  public_host: z.string(),
  auth_token: z.string(),
  status: z.string(),
});
export type CreatedSandbox = z.infer<typeof createdSchema>;

/** Creates a sandbox by plain HTTP; the answer must be 201. */
export async function createRaw(
  platform: RunningPlatform,
  body: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<CreatedSandbox> {
  const answer = await control(platform, "POST", "/v1/sandboxes", { template_name: "base", ...body }, headers);
  if (answer.status !== 201) throw new Error(`create was answered ${answer.status}: ${answer.text}`);
  return createdSchema.parse(answer.body);
}

/** A request to a sandbox's agent through the gateway. */
export function agent(
  sandbox: CreatedSandbox,
  method: string,
  path: string,
  body?: unknown,
  timeoutMs?: number,
): Promise<Answer> {
  const { origin, pathname } = new URL(sandbox.public_host);
  return ask(origin, pathname.replace(/\/$/, "") + path, {
    method,
    headers: { authorization: `Bearer ${sandbox.auth_token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
}

const ranSchema = z.looseObject({ stdout: z.string(), stderr: z.string(), exit_code: z.number() });

/** Runs a shell command in a sandbox by plain HTTP. */
export async function run(sandbox: CreatedSandbox, command: string, timeout = 30): Promise<z.infer<typeof ranSchema>> {
  const answer = await agent(
    sandbox,
    "POST",
    "/commands/run",
    { command: "bash", args: ["-c", command], timeout },
    (timeout + 30) * 1000,
  );
  if (answer.status !== 200) throw new Error(`the command was answered ${answer.status}: ${answer.text}`);
  return ranSchema.parse(answer.body);
}
