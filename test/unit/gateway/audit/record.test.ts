import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import type { DataEvent } from "#core/ports.ts";
import { type Asking, makeGatewayAudit } from "#gateway/audit/record.ts";
import { parseRoute } from "#gateway/route.ts";
import { makeTestClock, sandboxId } from "../support.ts";

function makeRecord(content = false) {
  const events: DataEvent[] = [];
  const clock = makeTestClock();
  const record = makeGatewayAudit({ audit: { note: (event) => events.push(event) }, clock, content });
  const begin = (method: string, url: string, caller?: Asking["seen"]["caller"]) => {
    const seen = caller === undefined ? {} : { caller };
    const entry = record({ requestId: "req_1", sourceIp: "192.0.2.7", method, seen });
    entry.routed(parseRoute("localhost", url, undefined));
    return entry;
  };
  return { events, clock, begin };
}

const caller = { projectId: "p1", actor: `token:${sandboxId}`, keyId: "keyid0000001", scopes: ["sandboxes:exec"] };
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe("what is done through the gateway", () => {
  it("is recorded with who, what, which sandbox, from where, and how it came out", () => {
    const { events, clock, begin } = makeRecord();
    const entry = begin("POST", "/files/write?x=1", caller);
    entry.found(sandboxId);
    clock.advance(12);
    entry.answered(200);
    expect(events).toEqual([
      {
        projectId: "p1",
        actor: `token:${sandboxId}`,
        scopes: ["sandboxes:exec"],
        action: "file.write",
        target: sandboxId,
        outcome: "allowed",
        requestId: "req_1",
        sourceIp: "192.0.2.7",
        startedAt: clock.now() - 12,
        details: { method: "POST", path: "/files/write", key: "keyid0000001", status: 200 },
      },
    ]);
  });

  it("says of a run its hash and size, and its text only where that is asked for", () => {
    for (const content of [false, true]) {
      const { events, begin } = makeRecord(content);
      const entry = begin("POST", `/s/${sandboxId}/execute`, caller);
      entry.watch?.(Buffer.from('{"language":"python","env":{"KEY":"hunter2"},"code":"pri'));
      entry.watch?.(Buffer.from('nt(1)"}'));
      entry.answered(200);
      expect(events[0]?.details["executed"]).toEqual({
        sha256: sha256("print(1)"),
        bytes: 8,
        language: "python",
        ...(content && { content: "print(1)" }),
      });
      expect(JSON.stringify(events)).not.toContain("hunter2");
    }
  });

  it("watches nothing but runs", () => {
    const { begin } = makeRecord();
    for (const [method, url] of [
      ["POST", "/files/write"],
      ["GET", "/terminal"],
      ["POST", `/p/${sandboxId}/8000/execute`],
    ]) {
      const entry = begin(method ?? "", url ?? "", caller);
      expect([entry.watch, entry.watchSocket]).toEqual([undefined, undefined]);
    }
  });

  it("names the file that was read, and no path of a user's own server", () => {
    const { events, begin } = makeRecord();
    begin("GET", "/files/read?path=/workspace/a.txt", caller).answered(200);
    begin("GET", `/p/${sandboxId}/8000/reset?password=hunter2`, caller).answered(200);
    expect(events.map(({ action, details }) => [action, details["file"] ?? details["port"]])).toEqual([
      ["file.read", "/workspace/a.txt"],
      ["port.request", 8000],
    ]);
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  it("says what was refused, and to whom as far as that is known", () => {
    const { events, begin } = makeRecord();
    begin("POST", "/execute").refused(new BulkheadError("TOKEN_INVALID", "no"));
    begin("POST", "/execute", caller).refused(new BulkheadError("FORBIDDEN", "no"));
    begin("POST", "/execute", caller).refused(new BulkheadError("AGENT_UNREACHABLE", "no"));
    expect(events.map(({ projectId, actor, action, outcome }) => [projectId, actor, action, outcome])).toEqual([
      [null, "nobody", "auth.refuse", "refused"],
      ["p1", caller.actor, "exec.run", "refused"],
      ["p1", caller.actor, "exec.run", "failed"],
    ]);
  });

  it("is no flood: a port is named once a minute, refusals sixty times, with what was left out", () => {
    const { events, clock, begin } = makeRecord();
    for (let count = 0; count < 500; count += 1) begin("GET", `/p/${sandboxId}/8000/`, caller).answered(200);
    for (let count = 0; count < 500; count += 1)
      begin("GET", "/execute").refused(new BulkheadError("TOKEN_INVALID", "no"));
    expect(events).toHaveLength(61);
    clock.advance(60_000);
    begin("GET", `/p/${sandboxId}/8000/`, caller).answered(200);
    expect(events.at(-1)?.details).toMatchObject({ omitted: 499 });
  });
});
