import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import type { AgentClock } from "#agent/clock.ts";
import { sendKeptAlive } from "#agent/exec/keep-alive.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { makeWorld, token, type World } from "./support.ts";

let world: World | undefined;
let beat: (() => void) | undefined;
let finish: (value: unknown) => void = () => {};
let fail: (error: Error) => void = () => {};

afterEach(async () => {
  beat = undefined;
  await world?.end();
});

/** Time passes when the test says so. */
const clock: AgentClock = {
  now: () => 0,
  after(_delayMs, callback) {
    beat = callback;
    return () => {
      beat = undefined;
    };
  },
};

/** What came, as it came; the agent works until it is told. */
async function asked() {
  world = await makeWorld((_req, res) => {
    const work = new Promise((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
    void sendKeptAlive(res, clock, work, (error) => ({ late: error.code }));
  });
  const came = { status: 0, text: "", ended: false, broken: false };
  const call = request({ port: world.port, host: "127.0.0.1", method: "POST", path: "/execute", agent: false });
  call.setHeader("authorization", token);
  call.on("error", () => {});
  call.on("response", (answer) => {
    came.status = answer.statusCode ?? 0;
    answer.setEncoding("utf8").on("data", (text: string) => {
      came.text += text;
    });
    answer.on("error", () => {
      came.broken = true;
    });
    answer.on("end", () => {
      came.ended = true;
    });
  });
  call.end("{}");
  await expect.poll(() => beat).toBeDefined();
  return came;
}

describe("an answer that takes longer than a hop in front waits for a byte", () => {
  it("reaches its caller beat by beat, nothing of it held back until the end", async () => {
    const came = await asked();
    expect(came).toMatchObject({ status: 0, text: "" });
    for (const text of [" ", "  ", "   "]) {
      beat?.();
      await expect.poll(() => came.text).toBe(text);
      expect(came).toMatchObject({ status: 200, ended: false });
    }
    finish({ success: true });
    await expect.poll(() => came.ended).toBe(true);
    expect(came.text).toBe('   {"success":true}');
    expect(JSON.parse(came.text)).toEqual({ success: true });
  });

  it("tells a failure in its body when its status has been said", async () => {
    const came = await asked();
    beat?.();
    await expect.poll(() => came.status).toBe(200);
    fail(new BulkheadError("EXECUTION_FAILED", "no"));
    await expect.poll(() => came.ended).toBe(true);
    expect(JSON.parse(came.text)).toEqual({ late: "EXECUTION_FAILED" });
  });

  it("breaks off when the agent does, and does not look finished", async () => {
    const came = await asked();
    beat?.();
    await expect.poll(() => came.text).toBe(" ");
    world?.agent.closeAllConnections();
    await expect.poll(() => came.broken).toBe(true);
    expect(came.ended).toBe(false);
  });
});
