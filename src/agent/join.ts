import type { Duplex } from "node:stream";

/** Joins two connections as a plain byte pipe. One that breaks cuts the other; one that has ended leaves it what is still to be written. */
export function join(one: Duplex, other: Duplex): void {
  one.pipe(other).pipe(one);
  endAfter(one, other);
  endAfter(other, one);
}

function endAfter(first: Duplex, second: Duplex): void {
  first.on("error", () => second.destroy());
  first.once("close", () => {
    if (second.writableFinished) second.destroy();
    else second.once("finish", () => second.destroy()).end();
  });
}
