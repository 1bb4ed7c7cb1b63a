import type { FileResponse } from "#contracts/agent/files.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Logger } from "#telemetry/logger.ts";
import { parseFilePath, parseFileWrite, parseMkdir } from "../parse-files.ts";
import type { AgentRequest, Route } from "../router.ts";
import { closing, makeConfinement, type Owner } from "./confinement.ts";
import { fileExists, listDirectory } from "./list.ts";
import { downloadFile, readFile } from "./read.ts";
import { remove } from "./remove.ts";
import { receiveUpload } from "./upload.ts";
import { modeBits, writeFile } from "./write.ts";

export interface FileRouteOptions {
  /** Directories the routes serve, in the agent's own view. Relative paths start at the first. */
  readonly roots: readonly string[];
  /** Who new files belong to; absent: the agent itself. */
  readonly uid?: number;
  readonly gid?: number;
  /** Largest upload in bytes. @default 100 MiB */
  readonly maxUploadBytes?: number;
  readonly logger: Logger;
}

const defaultUploadBytes = 100 * 2 ** 20;

function done(what: string, path: string, size: number): FileResponse {
  return { success: true, path, size, message: `${what} ${path}`, timestamp: toRfc3339(Date.now()) };
}

/** `GET /files/{read,download,list,exists}`, `POST /files/{write,mkdir,upload}`, `DELETE /files/remove` (contract §4.3). */
export function fileRoutes(options: FileRouteOptions): readonly Route[] {
  const confinement = makeConfinement(options.roots);
  const owner: Owner | undefined =
    options.uid === undefined ? undefined : { uid: options.uid, gid: options.gid ?? options.uid };
  const upload = { owner, maxBytes: options.maxUploadBytes ?? defaultUploadBytes };
  const pathOf = ({ query }: AgentRequest) => parseFilePath(query.get("path"));

  function makeDirectory(asked: string, mode: string): string {
    // A directory that can be read but not entered is of no use: clients send the mode of files here.
    const bits = modeBits(mode) | ((modeBits(mode) & 0o444) >> 2);
    const held = confinement.makeDirectory(asked, owner, bits);
    return closing(held, () => held.path);
  }

  return [
    {
      method: "GET",
      path: "/files/read",
      handle: async (request) => request.send(200, await readFile(confinement, pathOf(request))),
    },
    {
      method: "GET",
      path: "/files/download",
      handle: (request) => downloadFile(confinement, pathOf(request), request.res),
    },
    {
      method: "GET",
      path: "/files/list",
      handle: async (request) =>
        request.send(200, await listDirectory(confinement, parseFilePath(request.query.get("path") ?? "."))),
    },
    {
      method: "GET",
      path: "/files/exists",
      handle: (request) => request.send(200, fileExists(confinement, pathOf(request))),
    },
    {
      method: "POST",
      path: "/files/write",
      async handle(request) {
        const { path, size } = await writeFile(confinement, parseFileWrite(await request.json()), owner);
        request.send(200, done("Wrote", path, size));
      },
    },
    {
      method: "POST",
      path: "/files/mkdir",
      async handle(request) {
        const { path, mode } = parseMkdir(await request.json());
        request.send(200, done("Made", makeDirectory(path, mode), 0));
      },
    },
    {
      method: "POST",
      path: "/files/upload",
      async handle(request) {
        const { path, size } = await receiveUpload(confinement, request.req, upload);
        request.send(200, done("Uploaded", path, size));
      },
    },
    {
      method: "DELETE",
      path: "/files/remove",
      async handle(request) {
        request.send(200, done("Removed", await remove(confinement, pathOf(request)), 0));
      },
    },
  ];
}
