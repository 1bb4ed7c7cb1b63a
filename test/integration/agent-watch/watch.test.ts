import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { watchEventSchema } from "#contracts/agent/watch.ts";
import { type AgentProcess, startAgent, until } from "../agent/agent-process.ts";
import { openSocket, type Socket } from "../agent-terminal/support.ts";

let agent: AgentProcess;
let outside: string;
beforeAll(async () => {
  agent = await startAgent();
  outside = mkdtempSync(join(tmpdir(), "bulkhead-outside-"));
});
afterAll(async () => {
  await agent.stop();
  rmSync(outside, { recursive: true });
});

/** A fresh directory that a test watches. */
let root: string;
let number = 0;
beforeEach(() => {
  number += 1;
  root = join(agent.directory, `root-${number}`);
  mkdirSync(root);
});

interface Watch extends Socket {
  /** What was told so far, as "event path-below-root". */
  said(): string[];
  errors(): unknown[];
  sees(...wanted: string[]): Promise<void>;
}

async function openWatch(...paths: string[]): Promise<Watch> {
  const socket = await openSocket(agent, "/files/watch");
  for (const path of paths) socket.send({ action: "watch", path });
  const events = () => socket.frames.map((frame) => watchEventSchema.parse(frame));
  const said = () =>
    events().flatMap((event) =>
      event.type === "change" ? [`${event.event} ${event.path.replace(`${root}/`, "").replace(root, ".")}`] : [],
    );
  return {
    ...socket,
    said,
    errors: () => events().flatMap((event) => (event.type === "error" ? [event.code] : [])),
    sees: (...wanted) => until(() => wanted.every((one) => said().includes(one))),
  };
}

/** A watch that is known to be at work. */
async function watching(path = root): Promise<Watch> {
  const watch = await openWatch(path);
  const probe = join(path, "probe");
  let turn = 0;
  await until(() => {
    turn += 1;
    writeFileSync(probe, String(turn));
    return watch.frames.length > 0;
  });
  rmSync(probe);
  await until(() => watch.said().some((one) => /^deleted .*probe$/.test(one)));
  watch.frames.length = 0;
  return watch;
}

describe("a watch", () => {
  it("tells of files that come, change, move and go, as it happens", async () => {
    const watch = await watching();
    writeFileSync(join(root, "a"), "1");
    await watch.sees("created a", "modified a");
    appendFileSync(join(root, "a"), "2");
    await until(() => watch.said().filter((one) => one === "modified a").length >= 2);
    renameSync(join(root, "a"), join(root, "b"));
    await watch.sees("renamed a", "created b");
    expect(watch.frames.find((frame) => frame["event"] === "renamed")).toMatchObject({ new_path: join(root, "b") });
    rmSync(join(root, "b"));
    await watch.sees("deleted b");
    expect(watch.frames[0]).toMatchObject({
      type: "change",
      path: join(root, "a"),
      timestamp: expect.any(String) as string,
    });
    expect(watch.errors()).toEqual([]);
    watch.ws.close();
  });

  it("is recursive: what is below at first, and what comes later with all that is in it", async () => {
    mkdirSync(join(root, "old/deep"), { recursive: true });
    const watch = await watching();
    writeFileSync(join(root, "old/deep/x"), "");
    await watch.sees("created old/deep/x");
    const ready = mkdtempSync(join(agent.directory, "made-"));
    mkdirSync(join(ready, "sub"));
    writeFileSync(join(ready, "sub/y"), "");
    renameSync(ready, join(root, "new"));
    await watch.sees("created new", "created new/sub", "created new/sub/y");
    writeFileSync(join(root, "new/sub/z"), "");
    await watch.sees("created new/sub/z");
    watch.ws.close();
  });

  it("misses no file of a tree that is made in one go", async () => {
    const watch = await watching();
    const wanted: string[] = [];
    for (let a = 0; a < 20; a += 1) {
      for (let b = 0; b < 5; b += 1) {
        const directory = `d${a}/e${b}`;
        mkdirSync(join(root, directory), { recursive: true });
        for (const name of ["x", "y"]) {
          writeFileSync(join(root, directory, name), "");
          wanted.push(`created ${directory}/${name}`);
        }
      }
    }
    await watch.sees(...wanted);
    const created = watch.said().filter((one) => one.startsWith("created"));
    expect(created.length).toBe(new Set(created).size);
    watch.ws.close();
  });

  it("follows a directory that is renamed, and forgets one that is deleted", async () => {
    mkdirSync(join(root, "d/e"), { recursive: true });
    const watch = await watching();
    renameSync(join(root, "d"), join(root, "f"));
    await watch.sees("renamed d", "created f", "created f/e");
    writeFileSync(join(root, "f/e/x"), "");
    await watch.sees("created f/e/x");
    rmSync(join(root, "f"), { recursive: true });
    await watch.sees("deleted f/e/x", "deleted f/e", "deleted f");
    mkdirSync(join(root, "f"));
    writeFileSync(join(root, "f/again"), "");
    await watch.sees("created f/again");
    expect(watch.errors()).toEqual([]);
    watch.ws.close();
  });

  it("does not follow symbolic links", async () => {
    symlinkSync(outside, join(root, "link"));
    const watch = await watching();
    symlinkSync(outside, join(root, "later"));
    writeFileSync(join(outside, "secret"), "");
    writeFileSync(join(root, "last"), "");
    await watch.sees("created later", "created last");
    expect(watch.said().filter((one) => one.includes("secret"))).toEqual([]);
    watch.ws.close();
  });

  it("of a directory that is deleted says so, and the socket stays of use", async () => {
    const doomed = join(root, "doomed");
    mkdirSync(doomed);
    const watch = await watching(doomed);
    writeFileSync(join(doomed, "x"), "");
    rmSync(doomed, { recursive: true });
    await watch.sees("deleted doomed/x", "deleted doomed");
    await until(() => watch.errors().length === 1);
    expect(watch.errors()).toEqual(["DIRECTORY_NOT_FOUND"]);
    mkdirSync(doomed);
    watch.send({ action: "watch", path: doomed });
    await until(() => {
      writeFileSync(join(doomed, `y-${randomUUID()}`), "");
      return watch.said().some((one) => one.startsWith("created doomed/y"));
    });
    watch.ws.close();
  });

  it("takes no thread: at the process limit one that cannot be started would end the agent", async () => {
    const threads = () => readdirSync(`/proc/${agent.process.pid}/task`).length;
    const before = threads();
    mkdirSync(join(root, "a/b/c"), { recursive: true });
    const watch = await watching();
    writeFileSync(join(root, "a/b/c/x"), "");
    await watch.sees("created a/b/c/x");
    expect(threads()).toBe(before);
    watch.ws.close();
  });

  it("tells of names that are not UTF-8", async () => {
    const watch = await watching();
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff])]), "");
    await watch.sees("created f\ufffd");
    watch.ws.close();
  });
});

describe("several watches", () => {
  it("live on one socket, each path is told of once, and can be taken off", async () => {
    const [one, two] = [join(root, "one"), join(root, "two")];
    mkdirSync(join(one, "sub"), { recursive: true });
    mkdirSync(two);
    const watch = await watching(one);
    for (const path of [join(one, "sub"), one, two]) watch.send({ action: "watch", path });
    await until(() => {
      writeFileSync(join(two, `n-${randomUUID()}`), "");
      return watch.said().some((said) => said.startsWith("created two/n"));
    });
    writeFileSync(join(one, "sub/x"), "");
    await watch.sees("created one/sub/x");
    expect(watch.said().filter((said) => said === "created one/sub/x")).toHaveLength(1);
    watch.send({ action: "unwatch", path: one });
    watch.send({ action: "unwatch", path: join(root, "three") });
    await until(() => watch.errors().length === 1);
    writeFileSync(join(one, "unseen"), "");
    writeFileSync(join(two, "seen"), "");
    await watch.sees("created two/seen");
    expect(watch.said()).not.toContain("created one/unseen");
    watch.ws.close();
  });

  it("may be a thousand, on one socket or on many", async () => {
    const paths = Array.from({ length: 1000 }, (_, n) => join(root, `w${n}`));
    for (const path of paths) mkdirSync(path);
    const one = await openWatch(...paths);
    const many: Awaited<ReturnType<typeof openWatch>>[] = [];
    // A Unix socket has a queue of 511: more at once are refused by the kernel before the agent sees them.
    for (let at = 0; at < paths.length; at += 100) {
      many.push(...(await Promise.all(paths.slice(at, at + 100).map((path) => openWatch(path)))));
    }
    const write = () => {
      for (const path of paths) writeFileSync(join(path, "x"), "");
    };
    let last = 0;
    await until(() => {
      if (Date.now() - last > 1000) {
        write();
        last = Date.now();
      }
      const told = new Set(one.said());
      return (
        paths.every((_, n) => told.has(`created w${n}/x`) || told.has(`modified w${n}/x`)) &&
        many.every((each) => each.frames.length > 0)
      );
    }, 40_000);
    expect((await agent.ask("GET", "/ping")).status).toBe(200);
    for (const each of [one, ...many]) each.ws.terminate();
    const again = await watching();
    again.ws.close();
  });
});

describe("bad requests", () => {
  it("are answered with an error each, and the socket goes on", async () => {
    writeFileSync(join(root, "file"), "");
    symlinkSync(outside, join(root, "out"));
    const watch = await openWatch("/etc", join(root, "missing"), join(root, "file"), join(root, "out"), "../../etc");
    for (const frame of [{}, { action: "watch" }, { action: "look", path: root }, { action: "watch", path: 7 }]) {
      watch.send(frame);
    }
    await until(() => watch.errors().length === 9);
    expect(watch.errors()).toEqual([
      ...["PATH_NOT_ALLOWED", "DIRECTORY_NOT_FOUND", "INVALID_PATH", "PATH_NOT_ALLOWED", "PATH_NOT_ALLOWED"],
      ...["MISSING_PARAMETER", "MISSING_PARAMETER", "INVALID_REQUEST", "INVALID_REQUEST"],
    ]);
    watch.send({ action: "watch", path: root });
    await until(() => {
      writeFileSync(join(root, "file"), randomUUID());
      return watch.said().length > 0;
    });
    watch.ws.close();
  });
});

describe("too much at once", () => {
  const residentMb = () =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${agent.process.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

  it("for a caller who does not read is dropped, in bounded memory, and said", async () => {
    const watch = await watching();
    const before = residentMb();
    watch.ws.pause();
    for (let round = 0; round < 60; round += 1) {
      for (let n = 0; n < 500; n += 1) writeFileSync(join(root, `f${n}`), String(round));
      // The agent reads what the kernel keeps of these.
      await agent.ask("GET", "/ping");
    }
    expect(residentMb() - before).toBeLessThan(80);
    watch.ws.resume();
    await until(() => watch.errors().length > 0);
    expect(watch.errors()).toContain("RESOURCE_LIMIT_ERROR");
    watch.frames.length = 0;
    writeFileSync(join(root, "afterwards"), "");
    await watch.sees("created afterwards");
    watch.ws.close();
  });

  it("does not keep the agent from its other work", async () => {
    const watch = await watching();
    const storm = spawn("sh", ["-c", "while :; do for n in 1 2 3 4 5 6 7 8; do : > $n; rm $n; done; done"], {
      cwd: root,
    });
    const other = spawn("sh", ["-c", "while :; do for n in a b c d e f g h; do : > $n; rm $n; done; done"], {
      cwd: root,
    });
    await until(() => watch.frames.length > 1000);
    for (let round = 0; round < 20; round += 1) expect((await agent.ask("GET", "/ping")).status).toBe(200);
    storm.kill("SIGKILL");
    other.kill("SIGKILL");
    await until(() => {
      writeFileSync(join(root, `calm-${randomUUID()}`), "");
      return watch.said().some((one) => one.startsWith("created calm"));
    });
    watch.ws.close();
  });
});
