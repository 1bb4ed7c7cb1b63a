import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Sandbox } from "@hopx-ai/sdk";

/** What a measurement needs to reach the platform. */
export interface Connection {
  readonly baseURL: string;
  readonly apiKey: string;
}

export function create(connection: Connection): Promise<Sandbox> {
  return Sandbox.create({ template: "base", ...connection });
}

/** Create, then the first command's answer: what a caller waits for. */
export async function createAndRun(connection: Connection): Promise<Sandbox> {
  const sandbox = await create(connection);
  await echo(sandbox);
  return sandbox;
}

/** @throws Error when the sandbox does not answer with the expected word */
export async function echo(sandbox: Sandbox): Promise<void> {
  const { stdout } = await sandbox.commands.run("echo hi");
  if (stdout.trim() !== "hi") throw new Error(`expected hi, got ${JSON.stringify(stdout)}`);
}

/** Work on many items, at most `width` at once. */
export async function each<T, R>(items: readonly T[], width: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

export interface RawTransfer {
  upload(bytes: Buffer): Promise<void>;
  /** Answers with the number of bytes received. */
  download(): Promise<number>;
}

/** Multipart upload and download by plain node:http, streamed: what the gateway and the agent can do without the client's own cost. */
export async function rawTransfer(sandbox: Sandbox, path: string): Promise<RawTransfer> {
  const base = (await sandbox.getInfo()).publicHost.replace(/\/$/, "");
  const authorization = `Bearer ${await sandbox.getToken()}`;
  return {
    async upload(bytes) {
      const boundary = randomBytes(12).toString("hex");
      const part = (name: string, rest: string): string =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${rest}`;
      const head = Buffer.from(
        `${part("path", "")}\r\n\r\n${path}\r\n${part("file", '; filename="f"')}\r\nContent-Type: application/octet-stream\r\n\r\n`,
      );
      const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
      const headers = {
        authorization,
        "content-type": `multipart/form-data; boundary=${boundary}`,
        "content-length": head.length + bytes.length + tail.length,
      };
      await new Promise<void>((resolve, reject) => {
        const sending = request(`${base}/files/upload`, { method: "POST", headers }, (response) => {
          response.resume();
          response.on("end", () =>
            response.statusCode === 200 ? resolve() : reject(new Error(`upload: ${response.statusCode ?? 0}`)),
          );
        });
        sending.on("error", reject);
        pipeline(Readable.from(slices(head, bytes, tail)), sending).catch(reject);
      });
    },
    download() {
      return new Promise((resolve, reject) => {
        const url = `${base}/files/download?path=${encodeURIComponent(path)}`;
        request(url, { headers: { authorization } }, (response) => {
          let length = 0;
          response.on("data", (chunk: Buffer) => (length += chunk.length));
          response.on("error", reject);
          response.on("end", () => resolve(length));
        })
          .on("error", reject)
          .end();
      });
    },
  };
}

function* slices(head: Buffer, bytes: Buffer, tail: Buffer): Generator<Buffer> {
  yield head;
  for (let offset = 0; offset < bytes.length; offset += 1 << 20) yield bytes.subarray(offset, offset + (1 << 20));
  yield tail;
}
