import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fileContentResponseSchema, fileListResponseSchema, fileResponseSchema } from "#contracts/agent/files.ts";
import { boundary, type FileServer, multipart, multipartHeaders, startFileServer } from "./support.ts";

let server: FileServer;

beforeEach(async () => {
  server = await startFileServer({ maxUploadBytes: 1_000_000 });
});
afterEach(() => server.close());

const query = (path: string) => `?path=${encodeURIComponent(path)}`;
const read = (path: string) => server.call("GET", `/files/read${query(path)}`);
const write = (body: Record<string, unknown>) => server.call("POST", "/files/write", body);
const upload = (parts: Parameters<typeof multipart>[0]) =>
  server.send("POST", "/files/upload", multipartHeaders, multipart(parts));

describe("write and read", () => {
  it("keeps text, makes parents and reports what it did", async () => {
    const path = join(server.root, "a/b/c.txt");
    const answer = await write({ path, content: "héllo\n" });
    expect(fileResponseSchema.parse(answer.body)).toMatchObject({ path, size: 7 });
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect((await read(path)).body).toEqual({ content: "héllo\n", path, size: 7 });
    expect(readdirSync(join(server.root, "a/b"))).toEqual(["c.txt"]);
  });

  it("takes relative paths from the first root", async () => {
    await write({ path: "notes.txt", content: "x" });
    expect(readFileSync(join(server.root, "notes.txt"), "utf8")).toBe("x");
  });

  it("writes base64 and Node's Buffer form as bytes", async () => {
    const bytes = Buffer.from([0, 255, 128, 10]);
    await write({ path: "one", content: bytes.toString("base64"), encoding: "base64" });
    await write({ path: "two", content: bytes.toJSON(), mode: "0600" });
    expect(readFileSync(join(server.root, "one"))).toEqual(bytes);
    expect(readFileSync(join(server.root, "two"))).toEqual(bytes);
    expect(statSync(join(server.root, "two")).mode & 0o777).toBe(0o600);
  });

  it("answers bytes that are not text as base64 and says so", async () => {
    const bytes = Buffer.from([0x89, 0x50, 0xff, 0xfe]);
    writeFileSync(join(server.root, "x.png"), bytes);
    const body = fileContentResponseSchema.parse((await read("x.png")).body);
    expect(body).toMatchObject({ content: bytes.toString("base64"), encoding: "base64", size: 4 });
  });

  it("refuses content that is not base64", async () => {
    const answer = await write({ path: "x", content: "not base64!", encoding: "base64" });
    expect([answer.status, answer.body["code"]]).toEqual([400, "INVALID_REQUEST"]);
    expect(readdirSync(server.root)).toEqual([]);
  });

  it("keeps an existing file when overwrite is false", async () => {
    await write({ path: "x", content: "first" });
    const answer = await write({ path: "x", content: "second", overwrite: false });
    expect([answer.status, answer.body["code"]]).toEqual([409, "FILE_ALREADY_EXISTS"]);
    expect(readFileSync(join(server.root, "x"), "utf8")).toBe("first");
    expect(readdirSync(server.root)).toEqual(["x"]);
  });

  it("tells to download what is too large for a JSON answer", async () => {
    const path = join(server.root, "big");
    writeFileSync(path, "");
    truncateSync(path, 40 * 2 ** 20);
    const answer = await read(path);
    expect([answer.status, answer.body["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect(answer.body["message"]).toContain("/files/download");
  });

  it.each([
    ["missing", "missing.txt", 404, "FILE_NOT_FOUND"],
    ["below a file", "file/x", 404, "FILE_NOT_FOUND"],
    ["a directory", "dir", 400, "INVALID_PATH"],
    ["a name that is too long", "n".repeat(300), 400, "INVALID_PATH"],
    ["a NUL", "a\0b", 400, "INVALID_PATH"],
    ["outside", "/etc/hostname", 403, "PATH_NOT_ALLOWED"],
    ["outside and missing", "/nope/nope", 403, "PATH_NOT_ALLOWED"],
    ["upwards", "../outside/secret", 403, "PATH_NOT_ALLOWED"],
    ["the agent's own process", "/proc/self/environ", 403, "PATH_NOT_ALLOWED"],
    ["a device", "/dev/zero", 403, "PATH_NOT_ALLOWED"],
  ])("refuses to read %s", async (_what, path, status, code) => {
    mkdirSync(join(server.root, "dir"));
    writeFileSync(join(server.root, "file"), "");
    writeFileSync(join(server.outside, "secret"), "s3cret");
    const answer = await read(path);
    expect([answer.status, answer.body["code"]]).toEqual([status, code]);
    if (status === 404) expect(answer.body["message"]).not.toMatch(/sandbox/i);
  });

  it("never waits for a FIFO", async () => {
    execFileSync("mkfifo", [join(server.root, "pipe")]);
    expect((await read("pipe")).body["code"]).toBe("INVALID_PATH");
    expect((await server.call("GET", "/files/download?path=pipe")).body["code"]).toBe("INVALID_PATH");
    expect((await write({ path: "pipe", content: "x" })).body["code"]).toBe("INVALID_PATH");
  });

  it("names a missing parameter", async () => {
    expect((await server.call("GET", "/files/read")).body).toMatchObject({ code: "MISSING_PARAMETER" });
    expect((await write({ content: "x" })).body).toMatchObject({ code: "MISSING_PARAMETER" });
  });
});

describe("symbolic links", () => {
  it("work inside the roots, for reading and writing", async () => {
    mkdirSync(join(server.secondRoot, "real"));
    writeFileSync(join(server.secondRoot, "real/f"), "old");
    symlinkSync(join(server.secondRoot, "real"), join(server.root, "dir"));
    symlinkSync("dir/f", join(server.root, "link"));
    expect((await read("link")).body["content"]).toBe("old");
    expect((await write({ path: "link", content: "new" })).status).toBe(200);
    expect(readFileSync(join(server.secondRoot, "real/f"), "utf8")).toBe("new");
    expect((await write({ path: "dir/g", content: "g" })).status).toBe(200);
    expect(readdirSync(join(server.secondRoot, "real")).sort()).toEqual(["f", "g"]);
  });

  it("cannot lead out, whatever the verb", async () => {
    writeFileSync(join(server.outside, "secret"), "s3cret");
    symlinkSync(join(server.outside, "secret"), join(server.root, "file"));
    symlinkSync(server.outside, join(server.root, "dir"));
    symlinkSync(join(server.outside, "new"), join(server.root, "dangling"));
    symlinkSync("/proc/self/root/etc/passwd", join(server.root, "magic"));
    const answers = await Promise.all([
      read("file"),
      read("dir/secret"),
      read("magic"),
      server.call("GET", "/files/download?path=file"),
      server.call("GET", "/files/list?path=dir"),
      server.call("GET", "/files/exists?path=dir/secret"),
      write({ path: "file", content: "x" }),
      write({ path: "dir/made", content: "x" }),
      write({ path: "dir/a/b/made", content: "x" }),
      write({ path: "dangling", content: "x" }),
      server.call("POST", "/files/mkdir", { path: "dir/made" }),
      server.call("DELETE", "/files/remove?path=dir/secret"),
      upload([
        { name: "path", content: "dir/up" },
        { name: "file", filename: "f", content: "x" },
      ]),
    ]);
    expect(answers.map(({ body }) => body["code"])).toEqual(answers.map(() => "PATH_NOT_ALLOWED"));
    expect(readdirSync(server.outside)).toEqual(["secret"]);
    expect(readFileSync(join(server.outside, "secret"), "utf8")).toBe("s3cret");
  });

  it("that turn in circles are refused", async () => {
    symlinkSync("b", join(server.root, "a"));
    symlinkSync("a", join(server.root, "b"));
    expect((await read("a")).body["code"]).toBe("INVALID_PATH");
    expect((await write({ path: "a", content: "x" })).body["code"]).toBe("INVALID_PATH");
  });
});

describe("list, exists, mkdir, remove", () => {
  it("lists both spellings, and broken links as themselves", async () => {
    writeFileSync(join(server.root, "file.py"), "abc");
    utimesSync(join(server.root, "file.py"), 1_700_000_000.5, 1_700_000_000.5);
    mkdirSync(join(server.root, "dir"));
    symlinkSync("gone", join(server.root, "broken"));
    symlinkSync("/etc", join(server.root, "out"));
    symlinkSync("dir", join(server.root, "in"));
    const { body } = await server.call("GET", "/files/list");
    const list = fileListResponseSchema.parse(body);
    expect(list.files.map(({ name, is_directory, permissions }) => [name, is_directory, permissions[0]])).toEqual([
      ["broken", false, "l"],
      ["dir", true, "d"],
      ["file.py", false, "-"],
      ["in", true, "d"],
      ["out", false, "l"],
    ]);
    expect(list.files[2]).toEqual({
      name: "file.py",
      path: join(server.root, "file.py"),
      size: 3,
      is_directory: false,
      is_dir: false,
      modified_time: "2023-11-14T22:13:20.500Z",
      modified: "2023-11-14T22:13:20.500Z",
      permissions: "-rw-r--r--",
      mode: "0644",
    });
    expect(list.count).toBe(5);
  });

  it("lists names that are not UTF-8", async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${server.root}/`), Buffer.from([0xff, 0x61])]), "x");
    const { body } = await server.call("GET", "/files/list");
    expect(fileListResponseSchema.parse(body).files[0]).toMatchObject({ name: "\ufffda", size: 1 });
  });

  it("tells a missing directory from a file", async () => {
    writeFileSync(join(server.root, "f"), "");
    expect((await server.call("GET", "/files/list?path=nope")).body).toMatchObject({ code: "DIRECTORY_NOT_FOUND" });
    expect((await server.call("GET", "/files/list?path=sandbox")).body["message"]).not.toContain("not found");
    expect((await server.call("GET", "/files/list?path=f")).body).toMatchObject({ code: "INVALID_PATH" });
  });

  it("says whether something exists", async () => {
    mkdirSync(join(server.root, "d"));
    expect((await server.call("GET", "/files/exists?path=d")).body).toMatchObject({ exists: true, is_directory: true });
    expect((await server.call("GET", "/files/exists?path=x")).body).toMatchObject({ exists: false });
    expect((await server.call("GET", "/files/exists?path=/etc/passwd")).status).toBe(403);
  });

  it("makes directories that can be entered, again and again", async () => {
    for (const round of [1, 2]) {
      const answer = await server.call("POST", "/files/mkdir", { path: "x/y/z" });
      expect([round, answer.status]).toEqual([round, 200]);
    }
    expect(statSync(join(server.root, "x/y/z")).mode & 0o777).toBe(0o755);
    expect((await server.call("POST", "/files/mkdir", { path: server.root })).status).toBe(200);
    writeFileSync(join(server.root, "f"), "");
    expect((await server.call("POST", "/files/mkdir", { path: "f" })).body["code"]).toBe("FILE_ALREADY_EXISTS");
  });

  it("removes files, trees and links, but no root", async () => {
    const remove = (path: string) => server.call("DELETE", `/files/remove${query(path)}`);
    writeFileSync(join(server.outside, "kept"), "");
    mkdirSync(join(server.root, "t/deep"), { recursive: true });
    symlinkSync(server.outside, join(server.root, "t/deep/link"));
    writeFileSync(Buffer.concat([Buffer.from(`${server.root}/t/`), Buffer.from([0xfe])]), "x");
    expect((await remove("t")).status).toBe(200);
    expect(readdirSync(server.root)).toEqual([]);
    expect(readdirSync(server.outside)).toEqual(["kept"]);
    expect((await remove("t")).body["code"]).toBe("FILE_NOT_FOUND");
    expect((await remove(server.root)).body["code"]).toBe("PATH_NOT_ALLOWED");
    expect((await remove(".")).body["code"]).toBe("PATH_NOT_ALLOWED");
  });

  it("removes a tree deeper than paths can be long", async () => {
    const script =
      "import os\nfor _ in range(3000):\n os.mkdir('d' * 10)\n os.chdir('d' * 10)\nopen('leaf', 'w').close()";
    mkdirSync(join(server.root, "deep"));
    execFileSync("/usr/bin/python3", ["-c", script], { cwd: join(server.root, "deep") });
    expect((await server.call("DELETE", "/files/remove?path=deep")).status).toBe(200);
    expect(readdirSync(server.root)).toEqual([]);
  });
});

describe("upload and download", () => {
  const content = Buffer.alloc(700_000, "0123456789abc\r\n--");
  const file = { name: "file", filename: "data.bin", content };
  const small = { ...file, content: "x" };

  it.each([
    ["path first", [{ name: "path", content: "in/up.bin" }, file]],
    ["file first", [file, { name: "path", content: "in/up.bin" }]],
  ])("takes a form with %s", async (_order, parts) => {
    const answer = await upload(parts);
    expect(fileResponseSchema.parse(answer.body)).toMatchObject({
      path: join(server.root, "in/up.bin"),
      size: 700_000,
    });
    expect(readFileSync(join(server.root, "in/up.bin")).equals(content)).toBe(true);
    expect(readdirSync(server.root)).toEqual(["in"]);
  });

  it("falls back to the file's own name", async () => {
    expect((await upload([file])).body["path"]).toBe(join(server.root, "data.bin"));
  });

  it("leaves nothing of a file over the limit", async () => {
    const answer = await upload([
      { name: "path", content: "big" },
      { ...file, content: Buffer.alloc(1_000_001) },
    ]);
    expect([answer.status, answer.body["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect((await upload([{ ...file, content: Buffer.alloc(1_000_000) }])).status).toBe(200);
    expect(readdirSync(server.root)).toEqual(["data.bin"]);
  });

  it("refuses a large body by its length alone", async () => {
    const headers = { ...multipartHeaders, "content-length": "2000000" };
    const status = await new Promise((resolve, reject) => {
      const req = httpRequest({ socketPath: server.socket, method: "POST", path: "/files/upload", headers }, (res) => {
        resolve(res.statusCode);
        req.destroy();
      });
      req.on("error", reject);
      req.flushHeaders();
    });
    expect(status).toBe(413);
  });

  it("leaves nothing when the caller hangs up", async () => {
    const req = httpRequest({
      socketPath: server.socket,
      method: "POST",
      path: "/files/upload",
      headers: multipartHeaders,
    });
    req.on("error", () => undefined);
    req.write(multipart([{ name: "path", content: "cut" }, file]).subarray(0, 400_000));
    await vi.waitFor(() => expect(readdirSync(server.root)).toHaveLength(1));
    req.destroy();
    await vi.waitFor(() => expect(readdirSync(server.root)).toEqual([]));
  });

  it.each([
    [
      "a form without its end",
      multipartHeaders,
      multipart([{ name: "file", filename: "x", content: "y" }]).subarray(0, -20),
      "INVALID_REQUEST",
    ],
    ["a form without a file", multipartHeaders, multipart([{ name: "path", content: "x" }]), "MISSING_PARAMETER"],
    ["two files", multipartHeaders, multipart([small, small]), "INVALID_REQUEST"],
    ["another type", { "content-type": "application/json" }, Buffer.from("{}"), "INVALID_REQUEST"],
    ["no boundary", { "content-type": "multipart/form-data" }, Buffer.from(boundary), "INVALID_REQUEST"],
  ])("refuses %s and leaves nothing", async (_what, headers, body, code) => {
    const answer = await server.send("POST", "/files/upload", headers, body);
    expect([answer.status, answer.body["code"]]).toEqual([400, code]);
    expect(readdirSync(server.root)).toEqual([]);
  });

  it.each([0, 1000, 300_000, 5_000_000])("downloads %i bytes as they are", async (size) => {
    const bytes = Buffer.alloc(size, "bytes\0\xff", "latin1");
    writeFileSync(join(server.root, "big file'.bin"), bytes);
    const answer = await server.call("GET", "/files/download?path=big+file%27.bin");
    expect(answer.headers["content-type"]).toBe("application/octet-stream");
    expect(answer.headers["content-length"]).toBe(String(size));
    expect(answer.bytes.equals(bytes)).toBe(true);
  });

  it("survives a caller who hangs up during a download", async () => {
    const path = join(server.root, "big");
    writeFileSync(path, "");
    truncateSync(path, 200 * 2 ** 20);
    await new Promise<void>((resolve) => {
      const req = httpRequest({ socketPath: server.socket, path: "/files/download?path=big" }, (res) => {
        res.once("data", () => {
          res.destroy();
          resolve();
        });
      });
      req.end();
    });
    await vi.waitFor(() => {
      const held = readdirSync("/proc/self/fd").filter((fd) => readLink(fd) === path);
      expect(held).toEqual([]);
    });
    await pause(0);
  });
});

function readLink(fd: string): string {
  try {
    return execFileSync("readlink", [`/proc/${process.pid}/fd/${fd}`], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}
