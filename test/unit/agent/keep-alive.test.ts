import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { AgentClock } from "#agent/clock.ts";
import { sendKeptAlive } from "#agent/exec/keep-alive.ts";
import { BulkheadError } from "#contracts/errors.ts";

/** One server whose only answer waits for `work`; `beat` lets ten seconds pass. */
async function answering(work: () => Promise<unknown>) {
  let beat: (() => void) | undefined;
  const clock: AgentClock = {
    now: () => 0,
    after(delayMs, callback) {
      expect(delayMs).toBe(10_000);
      beat = callback;
      return () => {
        beat = undefined;
      };
    },
  };
  let failure: unknown;
  const server = createServer((_req, res) => {
    sendKeptAlive(res, clock, work(), (error) => ({ late: error.code })).catch((error: unknown) => {
      failure = error;
      res.end("thrown");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    beat: () => beat?.(),
    pending: () => beat !== undefined,
    failure: () => failure,
    close: () => server.close(),
  };
}

describe("an answer that takes long", () => {
  let close = (): void => {};
  afterEach(() => close());

  it("is plain JSON when it does not", async () => {
    const server = await answering(() => Promise.resolve({ a: 1 }));
    close = server.close;
    const answer = await fetch(server.url);
    expect(answer.headers.get("content-length")).toBe("7");
    expect(await answer.text()).toBe('{"a":1}');
    expect(server.pending()).toBe(false);
  });

  it("begins with white space, each ten seconds, and stays JSON", async () => {
    let finish: (value: unknown) => void = () => {};
    const work = new Promise((resolve) => {
      finish = resolve;
    });
    const server = await answering(() => work);
    close = server.close;
    const asked = fetch(server.url);
    await expect.poll(server.pending).toBe(true);
    server.beat();
    // The head has come although the work has not ended.
    const answer = await asked;
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    server.beat();
    finish({ a: 1 });
    expect(await answer.text()).toBe('  {"a":1}');
  });

  it("turns a late failure into a body, an early one into an error", async () => {
    let fail: (error: Error) => void = () => {};
    const work = new Promise((_, reject) => {
      fail = reject;
    });
    const server = await answering(() => work);
    close = server.close;
    const asked = fetch(server.url);
    await expect.poll(server.pending).toBe(true);
    server.beat();
    fail(new BulkheadError("EXECUTION_FAILED", "no"));
    expect(await (await asked).json()).toEqual({ late: "EXECUTION_FAILED" });

    const early = await answering(() => Promise.reject(new BulkheadError("EXECUTION_FAILED", "no")));
    expect(await (await fetch(early.url)).text()).toBe("thrown");
    expect(early.failure()).toMatchObject({ code: "EXECUTION_FAILED" });
    early.close();
  });
});
