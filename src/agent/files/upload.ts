import { closeSync, writev } from "node:fs";
import type { IncomingMessage } from "node:http";
import { posix } from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import type { BusboyHeaders } from "@fastify/busboy";
import { BulkheadError } from "#contracts/errors.ts";
import { parseFilePath } from "../parse-files.ts";
import type { Confinement, Held, Owner, Place } from "./confinement.ts";
import { fileError, tooLarge } from "./errors.ts";
import { makePendingFile, type PendingFile, writableTarget } from "./pending-file.ts";

const writevAsync = promisify(writev);
const batchBytes = 2 ** 20;
/** Multipart headers and fields beside the file. */
const overheadBytes = 64 * 1024;

export interface UploadOptions {
  readonly owner: Owner | undefined;
  /** Of the file itself. */
  readonly maxBytes: number;
}

interface Uploaded {
  readonly path: string;
  readonly size: number;
}

/** Where the bytes go until the whole request is read: beside the target when its path came first, else in the first root. */
interface Received {
  readonly directory: Held;
  readonly pending: PendingFile;
  readonly filename: string;
  readonly size: number;
}

async function writeAll(fd: number, chunks: readonly Buffer[]): Promise<void> {
  let left = [...chunks];
  while (left.length > 0) {
    let { bytesWritten } = await writevAsync(fd, left);
    left = left.flatMap((chunk) => {
      const done = Math.min(bytesWritten, chunk.length);
      bytesWritten -= done;
      return done === chunk.length ? [] : [chunk.subarray(done)];
    });
  }
}

/** Gathers small chunks: each write is a trip to another thread. */
async function pour(source: Readable, fd: number): Promise<number> {
  let size = 0;
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    gathered.push(chunk);
    bytes += chunk.length;
    size += chunk.length;
    if (bytes < batchBytes) continue;
    await writeAll(fd, gathered);
    gathered = [];
    bytes = 0;
  }
  await writeAll(fd, gathered);
  return size;
}

function over(options: UploadOptions): BulkheadError {
  return tooLarge("", `The file is larger than ${options.maxBytes} bytes, the most that one upload may carry.`);
}

function malformed(cause: unknown): BulkheadError {
  if (cause instanceof BulkheadError) return cause;
  const reason = cause instanceof Error ? cause.message : "unreadable";
  return new BulkheadError("INVALID_REQUEST", `The body is not a multipart form: ${reason}`, { cause });
}

/** Reads one form. Both orders of `file` and `path` occur. Whatever was made is in `form` even when reading fails. */
class Form {
  path: string | undefined;
  received: Received | undefined;
  receiving: Promise<void> | undefined;
  readonly #confinement: Confinement;
  readonly #options: UploadOptions;

  constructor(confinement: Confinement, options: UploadOptions) {
    this.#confinement = confinement;
    this.#options = options;
  }

  async receive(source: Readable, filename: string): Promise<void> {
    const directory = this.#directory();
    let pending: PendingFile;
    try {
      pending = makePendingFile(directory);
    } catch (error) {
      closeSync(directory.fd);
      throw fileError(error, this.path ?? filename);
    }
    this.received = { directory, pending, filename, size: 0 };
    const size = await pour(source, pending.fd).catch((error: unknown) => {
      throw fileError(error, this.path ?? filename);
    });
    if (size > this.#options.maxBytes) throw over(this.#options);
    this.received = { directory, pending, filename, size };
  }

  /** A refused path is refused before its bytes are read. */
  #directory(): Held {
    if (this.path === undefined) return this.#confinement.hold(".");
    return writableTarget(this.#confinement, this.path, this.#options.owner).directory;
  }

  discard(): void {
    this.received?.pending.discard();
  }

  close(): void {
    if (this.received !== undefined) closeSync(this.received.directory.fd);
  }
}

async function parse(req: IncomingMessage, form: Form, options: UploadOptions): Promise<void> {
  const { Busboy } = await import("@fastify/busboy");
  const type = req.headers["content-type"] ?? "";
  const headers: BusboyHeaders = { "content-type": type };
  // One byte more than allowed tells a file that was cut off from one that just fits.
  const limits = { files: 1, fields: 20, fieldSize: 16 * 1024, parts: 30, fileSize: options.maxBytes + 1 };
  await new Promise<void>((resolve, reject) => {
    const parser = new Busboy({ headers, limits, highWaterMark: batchBytes, fileHwm: 2 * batchBytes });
    let source: Readable | undefined;
    const fail = (error: unknown) => {
      req.unpipe(parser);
      // The rest is read and dropped, so that the caller gets to read our answer.
      req.resume();
      source?.destroy();
      const refused = malformed(error);
      void (form.receiving ?? Promise.resolve()).catch(() => undefined).then(() => reject(refused));
    };
    parser.on("field", (name, value) => {
      if (name === "path" && value !== "") form.path = value;
    });
    parser.on("file", (_name, stream, filename) => {
      source = stream;
      stream.on("error", () => undefined);
      form.receiving = Promise.resolve().then(() => {
        if (form.path !== undefined) parseFilePath(form.path);
        return form.receive(stream, posix.basename(filename));
      });
      form.receiving.catch(fail);
    });
    parser.on("filesLimit", () => fail(new BulkheadError("INVALID_REQUEST", "Send one file per upload.")));
    parser.on("error", fail);
    parser.on("finish", () => {
      (form.receiving ?? Promise.resolve()).then(resolve, fail);
    });
    req.once("close", () => {
      if (!req.complete)
        fail(new BulkheadError("INVALID_REQUEST", "The caller hung up before the upload was complete."));
    });
    req.pipe(parser);
  }).catch((error: unknown) => {
    throw malformed(error);
  });
}

function placeOf(confinement: Confinement, form: Form, received: Received, owner: Owner | undefined): Place {
  const asked = form.path ?? received.filename;
  if (asked === "") throw new BulkheadError("MISSING_PARAMETER", "Send a path field: the file has no name.");
  return writableTarget(confinement, parseFilePath(asked), owner);
}

/** Nothing is left of an upload that fails, for whatever reason. */
export async function receiveUpload(
  confinement: Confinement,
  req: IncomingMessage,
  options: UploadOptions,
): Promise<Uploaded> {
  if (!/^multipart\/form-data\b.*boundary=/i.test(req.headers["content-type"] ?? "")) {
    throw new BulkheadError("INVALID_REQUEST", "Send a multipart/form-data body with the fields file and path.");
  }
  if (Number(req.headers["content-length"] ?? 0) > options.maxBytes + overheadBytes) throw over(options);
  const form = new Form(confinement, options);
  try {
    await parse(req, form, options);
    const { received } = form;
    if (received === undefined) throw new BulkheadError("MISSING_PARAMETER", "The form has no field with a file.");
    const target = placeOf(confinement, form, received, options.owner);
    try {
      await received.pending.publish(target, { mode: 0o644, owner: options.owner, overwrite: true });
    } finally {
      closeSync(target.directory.fd);
    }
    return { path: target.path, size: received.size };
  } catch (error) {
    form.discard();
    throw error;
  } finally {
    form.close();
  }
}
