import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import type { AgentClock } from "#agent/clock.ts";
import type { AgentSocket } from "#agent/socket.ts";
import { makeSocketDispatch, type SocketDispatch } from "#agent/ws/dispatch.ts";
import { makeOpenSockets } from "#agent/ws/open-sockets.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { until } from "#test/e2e/support/until.ts";

interface Waiting {
  readonly delayMs: number;
  readonly callback: () => void;
}

/** One that never moves; `pass` calls what waits for so many milliseconds. */
function stillClock() {
  let waiting: readonly Waiting[] = [];
  const clock: AgentClock = {
    now: () => 0,
    after(delayMs, callback) {
      const one = { delayMs, callback };
      waiting = [...waiting, one];
      return () => {
        waiting = waiting.filter((each) => each !== one);
      };
    },
  };
  return {
    clock,
    waiting: () => waiting.length,
    pass(delayMs: number) {
      const due = waiting.filter((each) => each.delayMs === delayMs);
      waiting = waiting.filter((each) => !due.includes(each));
      for (const { callback } of due) callback();
    },
  };
}

const running: { readonly server: Server; readonly clients: WebSocket[] }[] = [];

/** An agent's sockets at `/socket`, and what the last one opened looks like from inside. */
async function serve() {
  const time = stillClock();
  const openSockets = makeOpenSockets();
  const frames: unknown[] = [];
  let socket: AgentSocket | undefined;
  let activity = 0;
  const open: SocketDispatch = makeSocketDispatch({
    routes: [
      {
        path: "/socket",
        open(request) {
          if (request.query.has("refuse")) throw new BulkheadError("CONFLICT", "Not now.");
          socket = request.accept();
          socket.onFrame((frame) => frames.push(frame));
          if (request.query.has("fail")) throw new Error("a mistake of ours");
        },
      },
    ],
    openSockets,
    clock: time.clock,
    logger: noopLogger,
    onActivity: () => (activity += 1),
  });
  const server = createServer();
  server.on("upgrade", (req, connection, head) => {
    connection.on("error", () => {});
    try {
      open({ req, connection, head, id: "req_1" });
    } catch (error) {
      connection.end(`HTTP/1.1 409 ${error instanceof BulkheadError ? error.code : "BUG"}\r\n\r\n`);
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const clients: WebSocket[] = [];
  running.push({ server, clients });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  async function connect(path = "/socket", options: ClientOptions = {}) {
    const client = new WebSocket(url + path, options);
    clients.push(client);
    await once(client, "open");
    return client;
  }
  const inside = (): AgentSocket => {
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  };
  return { time, openSockets, frames, connect, inside, activity: () => activity };
}

afterEach(() => {
  for (const { server, clients } of running.splice(0)) {
    for (const client of clients) client.terminate();
    server.close();
  }
});

/** Frames as the published JavaScript client takes them in: a listener for one, and the next after a promise. */
async function takeOneByOne(client: WebSocket, count: number): Promise<readonly unknown[]> {
  const taken: unknown[] = [];
  while (taken.length < count) {
    taken.push(
      await new Promise((resolve) => client.once("message", (data: Buffer) => resolve(JSON.parse(data.toString())))),
    );
  }
  return taken;
}

describe("a socket of the agent", () => {
  it("loses no frame to a client that listens for one at a time", async () => {
    const { connect, inside } = await serve();
    const client = await connect();
    const taking = takeOneByOne(client, 2_000);
    const frames = Array.from({ length: 2_000 }, (_, index) => ({ index }));
    for (const frame of frames) void inside().send(frame);
    expect(await taking).toEqual(frames);
  });

  it("carries frames both ways, without compression too, and says nothing first", async () => {
    for (const perMessageDeflate of [true, false]) {
      const { connect, inside, frames, activity } = await serve();
      const client = await connect("/socket/?x=1", { perMessageDeflate });
      expect(activity()).toBe(0);
      client.send(JSON.stringify({ to: "agent", long: "x".repeat(5_000) }));
      await until("frame", () => frames.length > 0);
      expect(frames).toEqual([{ to: "agent", long: "x".repeat(5_000) }]);
      const [taken] = await Promise.all([takeOneByOne(client, 1), inside().send({ to: "client" })]);
      expect(taken).toEqual([{ to: "client" }]);
      expect(activity()).toBe(2);
    }
  });

  it.each([
    ["binary", Buffer.from("{}"), true, 1003, "INVALID_REQUEST"],
    ["no JSON", Buffer.from("{"), false, 1007, "INVALID_JSON"],
    ["no UTF-8", Buffer.from([0x22, 0xff, 0x22]), false, 1007, "INVALID_JSON"],
    ["no object", Buffer.from("[]"), false, 1007, "INVALID_REQUEST"],
    ["huge", Buffer.from(JSON.stringify("x".repeat(1_100_000))), false, 1009, "PAYLOAD_TOO_LARGE"],
  ])("refuses a frame that is %s with a typed error and its close code", async (_, data, binary, closeCode, code) => {
    const { connect, frames } = await serve();
    const client = await connect();
    const messages: unknown[] = [];
    client.on("message", (message: Buffer) => messages.push(JSON.parse(message.toString())));
    client.send(data, { binary });
    client.send("{}");
    const [closedWith] = (await once(client, "close")) as [number];
    expect(closedWith).toBe(closeCode);
    expect(messages).toEqual([expect.objectContaining({ type: "error", code, error: expect.any(String) as string })]);
    expect(frames).toEqual([]);
  });

  it("ends at the header of a frame beyond all bounds", async () => {
    const { connect } = await serve();
    const client = await connect();
    client.send("x".repeat(5_000_000));
    expect((await once(client, "close"))[0]).toBe(1009);
  });

  it("makes its sender wait for a slow reader until that one has caught up, or gone", async () => {
    for (const relief of ["resume", "terminate"] as const) {
      const { connect, inside } = await serve();
      const client = await connect();
      client.pause();
      let behind: Promise<void> | undefined;
      const frame = { data: "x".repeat(60_000) };
      for (let sent = 0; behind === undefined; sent += 1) {
        if (sent > 10_000) throw new Error("no backpressure");
        behind = inside().send(frame);
        if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(inside().send(frame)).toBe(behind);
      client[relief]();
      await behind;
    }
  });

  it("closes with what it was told after the frames before", async () => {
    const { connect, inside, openSockets } = await serve();
    const client = await connect();
    expect(openSockets.count).toBe(1);
    const taking = takeOneByOne(client, 1);
    const closed = once(client, "close");
    void inside().send({ last: true });
    inside().close(1001, "bye");
    expect(await taking).toEqual([{ last: true }]);
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([1001, "bye"]);
    await until("abort", () => inside().closed.aborted);
    expect(openSockets.count).toBe(0);
  });

  it("tells at the next frame that a client which reads no more has asked for the end", async () => {
    const { connect, inside } = await serve();
    const client = await connect();
    client.close();
    await until("abort", () => {
      void inside().send({});
      return inside().closed.aborted;
    });
  });
});

describe("pings", () => {
  it("go out every 20 s, count as no activity, and stop with the connection", async () => {
    const { connect, time, activity, inside } = await serve();
    const client = await connect();
    let pings = 0;
    client.on("ping", () => (pings += 1));
    for (let round = 1; round <= 5; round += 1) {
      time.pass(20_000);
      await until("ping", () => pings === round);
      // The pong that the client has sent meanwhile is seen before the frame that follows it.
      client.send("{}");
      await until("frame", () => activity() === round);
    }
    client.close();
    await until("end", () => inside().closed.aborted);
    expect(time.waiting()).toBe(0);
  });

  it("end a connection when two of them stay without answer", async () => {
    const { connect, time, inside } = await serve();
    const client = await connect("/socket", { autoPong: false });
    for (let round = 1; round <= 2; round += 1) time.pass(20_000);
    expect(inside().closed.aborted).toBe(false);
    time.pass(20_000);
    expect((await once(client, "close"))[0]).toBe(1006);
    await until("end", () => inside().closed.aborted);
  });

  it("spare a reader that is so slow that they have not reached it yet", async () => {
    const { connect, time, inside } = await serve();
    const client = await connect();
    client.pause();
    while (inside().send({ data: "x".repeat(60_000) }) === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (let round = 1; round <= 10; round += 1) time.pass(20_000);
    client.resume();
    const [data] = (await once(client, "message")) as [Buffer];
    expect(data.length).toBeGreaterThan(60_000);
    expect(inside().closed.aborted).toBe(false);
  });
});

describe("upgrades", () => {
  it("are refused over HTTP for unknown paths and by routes", async () => {
    const { connect } = await serve();
    await expect(connect("/elsewhere")).rejects.toThrow("409");
    await expect(connect("/socket?refuse")).rejects.toThrow("409");
  });

  it("are closed when a route fails after it has accepted", async () => {
    const { connect } = await serve();
    const client = await connect("/socket?fail");
    expect((await once(client, "close"))[0]).toBe(1011);
  });
});
