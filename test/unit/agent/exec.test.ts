import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { baseEnv } from "#agent/exec/child-env.ts";
import { killRun } from "#agent/exec/kill-run.ts";
import { type MarkFiles, makeMarks } from "#agent/exec/marks.ts";
import { explainSpawnFailure } from "#agent/exec/spawn-failure.ts";
import { uptimeText } from "#agent/info-routes.ts";
import { parseStat } from "#agent/proc.ts";
import { makeRouter, type Route } from "#agent/router.ts";

function fakeFiles(all: { pid: number; mark: number }[] = []) {
  const written: number[] = [];
  const files: MarkFiles = { readOwn: () => 0, writeOwn: (mark) => void written.push(mark), all: () => all };
  return { files, written };
}

describe("marks", () => {
  it("are set while a process is spawned, and set back even when that fails", () => {
    const { files, written } = fakeFiles();
    const marks = makeMarks(files);
    const mark = marks.take();
    expect(marks.during(mark, () => "spawned")).toBe("spawned");
    expect(() =>
      marks.during(mark, () => {
        throw new Error("EAGAIN");
      }),
    ).toThrow("EAGAIN");
    expect(written).toEqual([mark, 0, mark, 0]);
  });

  it("differ between runs, and pass over those that processes left behind still carry", () => {
    const marks = makeMarks(fakeFiles([{ pid: 7, mark: 501 }]).files);
    const taken = Array.from({ length: 499 }, () => marks.take());
    expect(new Set(taken).size).toBe(499);
    expect(taken).not.toContain(501);
    expect(marks.take()).toBe(0);
    marks.release(700);
    expect(marks.take()).toBe(700);
  });

  it("do without where the kernel refuses", () => {
    const refuse = () => {
      throw new Error("EACCES");
    };
    const marks = makeMarks({ readOwn: () => 0, writeOwn: refuse, all: () => [] });
    expect(marks.during(marks.take(), () => 1)).toBe(1);
    expect(marks.take()).toBe(0);
    expect(marks.carriers(0)).toEqual([]);
  });
});

describe("killing a run", () => {
  it("stops all carriers before it kills the first", () => {
    const all = [{ pid: 10, mark: 600 }];
    const signals: string[] = [];
    const marks = makeMarks(fakeFiles(all).files);
    killRun(5, 600, marks, (target, signal) => {
      signals.push(`${signal} ${target}`);
      if (signal === "SIGSTOP" && all.length < 3) all.push({ pid: target + 1, mark: 600 });
    });
    expect(signals).toEqual([
      ...["SIGKILL -5", "SIGSTOP 10", "SIGSTOP 11", "SIGSTOP 12"],
      ...["SIGKILL 10", "SIGKILL 11", "SIGKILL 12"],
    ]);
  });
});

describe("a process that does not start", () => {
  const failure = (code: string) => Object.assign(new Error(code), { code });
  it("is the program's fault as in a shell", () => {
    expect(explainSpawnFailure(failure("ENOENT"), "nope", "/")).toEqual({
      exitCode: 127,
      stderr: "nope: command not found\n",
    });
    expect(explainSpawnFailure(failure("EACCES"), "/etc", "/").exitCode).toBe(126);
  });
  it.each([
    ["EAGAIN", "EXECUTION_FAILED", /process limit/],
    ["ENOMEM", "EXECUTION_FAILED", /memory/],
    ["E2BIG", "EXECUTION_FAILED", /too long/],
    ["EWHAT", "EXECUTION_FAILED", /EWHAT/],
  ])("is a typed error for %s", (errno, code, message) => {
    const act = () => explainSpawnFailure(failure(errno), "x", "/");
    expect(act).toThrow(expect.objectContaining({ code }));
    expect(act).toThrow(message);
  });
  it("says when the working directory is missing", () => {
    expect(() => explainSpawnFailure(failure("ENOENT"), "ls", "/no/such")).toThrow(
      expect.objectContaining({ code: "DIRECTORY_NOT_FOUND" }),
    );
  });
});

describe("router", () => {
  const route = (method: Route["method"], path: string): Route => ({ method, path, handle() {} });
  const router = makeRouter([route("GET", "/a"), route("POST", "/a"), route("ANY", "/a/*"), route("GET", "/a/b/*")]);
  it("prefers exact paths, then long prefixes", () => {
    expect(router.match("GET", "/a/")).toMatchObject({ kind: "route", route: { path: "/a" } });
    expect(router.match("PUT", "/a/x")).toMatchObject({ route: { path: "/a/*" } });
    expect(router.match("GET", "/a/b/c")).toMatchObject({ route: { path: "/a/b/*" } });
  });
  it("tells a wrong method from a wrong path", () => {
    expect(router.match("PUT", "/a")).toEqual({ kind: "method", allowed: ["GET", "POST"] });
    expect(router.match("GET", "/b")).toEqual({ kind: "none" });
  });
});

describe("small pieces", () => {
  it("reads process names with parentheses and spaces", () => {
    const numbers = Array.from({ length: 40 }, (_, index) => index + 4).join(" ");
    expect(parseStat(`42 (a) b (c) S ${numbers}`)).toMatchObject({
      ...{
        pid: 42,
        name: "a) b (c",
        state: "S",
        group: 5,
        session: 6,
        cpuTicks: 29,
        parent: 4,
        startTicks: 22,
        residentPages: 24,
      },
    });
  });
  it("gives children a way out only where there is one", () => {
    const closed = baseEnv({ PATH: "/bin", HOME: "/home/x" }, "/tools", undefined);
    expect(closed).toEqual({ PATH: "/bin:/tools/bin", HOME: "/home/x", LANG: "C.UTF-8", TZ: "UTC" });
    expect(baseEnv({}, "/t", { port: 3128 })).toMatchObject({
      HTTPS_PROXY: "http://127.0.0.1:3128",
      http_proxy: "http://127.0.0.1:3128",
      NODE_USE_ENV_PROXY: "1",
    });
  });
  it("tells programs which authorities to trust where the proxy has one, and Node how", () => {
    const bundle = "/etc/ssl/certs/ca-certificates.crt";
    const trusting = baseEnv({}, "/t", { port: 3128 }, "/etc/ssl/certs/bulkhead-egress.pem");
    expect(trusting).toMatchObject({ SSL_CERT_FILE: bundle, REQUESTS_CA_BUNDLE: bundle, PIP_CERT: bundle });
    expect(trusting["NODE_OPTIONS"]).toBe("--use-openssl-ca");
    expect(baseEnv({}, "/t", { port: 3128 })).not.toHaveProperty("SSL_CERT_FILE");
  });
  it("preloads what makes Node use the proxy only where it is there", () => {
    const tools = mkdtempSync(join(tmpdir(), "bulkhead-tools-"));
    expect(baseEnv({}, tools, { port: 3128 })).not.toHaveProperty("NODE_OPTIONS");
    mkdirSync(join(tools, "lib"));
    writeFileSync(join(tools, "lib/node-proxy.cjs"), "");
    const preloaded = baseEnv({}, tools, { port: 3128 });
    expect(preloaded["NODE_OPTIONS"]).toBe(`--require ${tools}/lib/node-proxy.cjs`);
    // With both, each start would load what only some need.
    expect(preloaded).not.toHaveProperty("NODE_USE_ENV_PROXY");
    expect(baseEnv({}, tools, undefined)).not.toHaveProperty("NODE_OPTIONS");
    expect(baseEnv({ NODE_OPTIONS: "--no-warnings" }, tools, { port: 3128 })["NODE_OPTIONS"]).toBe("--no-warnings");
    rmSync(tools, { recursive: true });
  });
  it("writes uptimes for people", () => {
    expect([0.4, 59, 200, 3600, 90_061].map(uptimeText)).toEqual(["0s", "59s", "3m20s", "1h0m0s", "25h1m1s"]);
  });
});
