import type { ServerResponse } from "node:http";
import { type BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import { type Hide, hideInError, hideNothing } from "#contracts/hide-in.ts";
import type { AgentClock } from "../clock.ts";
import { sendJson } from "../request.ts";

/** Hops in front of us give up on a silent answer after a minute or two. */
const everyMs = 10_000;

/**
 * Answers 200 with the JSON of `work`. If that takes long, white space before the JSON keeps the connection alive: JSON parsers skip it.
 * The status is then said already, so a failure becomes the body that `late` makes of it.
 */
export async function sendKeptAlive(
  res: ServerResponse,
  clock: AgentClock,
  work: Promise<unknown>,
  late: (error: BulkheadError) => unknown,
  hide: Hide = hideNothing,
): Promise<void> {
  let cancel = (): void => {};
  const beat = () => {
    if (!res.headersSent) res.writeHead(200, { "content-type": "application/json" });
    res.write(" ");
    cancel = clock.after(everyMs, beat);
  };
  cancel = clock.after(everyMs, beat);
  try {
    const body = await work;
    cancel();
    if (res.headersSent) res.end(JSON.stringify(body));
    else sendJson(res, 200, body);
  } catch (error) {
    cancel();
    if (!res.headersSent) throw error;
    res.end(JSON.stringify(late(hideInError(toBulkheadError(error), hide))));
  }
}
