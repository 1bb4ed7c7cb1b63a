import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { makeProcessOutput } from "#cli/process-output.ts";

it("writes messages without what would drive a terminal", () => {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const stream = (through: PassThrough) =>
    Object.assign(through, { isTTY: false, columns: 80 }) as unknown as NodeJS.WriteStream & PassThrough;
  makeProcessOutput(stream(out), stream(err)).err("bulkhead: \u001b]0;owned\u0007\u001b[2J not found\r\nsecond line");
  expect(String(err.read())).toBe("bulkhead: \ufffd]0;owned\ufffd\ufffd[2J not found\nsecond line\n");
});
