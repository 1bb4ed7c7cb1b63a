import type { WatchFrame } from "#contracts/agent/watch.ts";
import { type Fields, invalid, required, textOf } from "../fields.ts";
import { parseFilePath } from "../parse-files.ts";

/** @throws BulkheadError MISSING_PARAMETER, INVALID_REQUEST, INVALID_PATH */
export function parseWatchFrame(frame: Fields): WatchFrame {
  const action = textOf(required(frame, "action"), "action");
  if (action !== "watch" && action !== "unwatch") throw invalid("action", 'must be "watch" or "unwatch"');
  return { action, path: parseFilePath(frame["path"]) };
}
