import type { StreamCell, StreamCommand, StreamExecute } from "#contracts/agent/stream.ts";
import { type Fields, invalid, textOf } from "../fields.ts";
import { parseCommand, parseExecute } from "../parse.ts";

/** Absent and null mean the first of `types`. */
function typeOf<Type extends string>(fields: Fields, types: readonly [Type, ...Type[]]): Type {
  const type = fields["type"] ?? types[0];
  const known = types.find((each) => each === type);
  if (known === undefined) throw invalid("type", `must be ${types.map((each) => `"${each}"`).join(" or ")}`);
  return known;
}

/** Absent, null and 0 mean a minute. */
function withTimeout(fields: Fields): Fields {
  const { timeout } = fields;
  return timeout === undefined || timeout === null || timeout === 0 ? { ...fields, timeout: 60 } : fields;
}

function contextOf(fields: Fields): string | undefined {
  const { context } = fields;
  if (context === undefined || context === null) return undefined;
  const name = textOf(context, "context");
  if (name.length > 128) throw invalid("context", "is longer than 128 characters");
  return name || undefined;
}

export function parseStreamExecute(fields: Fields): StreamExecute {
  return { type: typeOf(fields, ["execute"]), ...parseExecute(withTimeout(fields)) };
}

export function parseStreamCommand(fields: Fields): StreamCommand {
  return { type: typeOf(fields, ["execute", "run"]), ...parseCommand(fields) };
}

/** What a cell is, on a socket and in a request. */
export function parseCell(fields: Fields): Omit<StreamCell, "type"> {
  const { code, timeout, env } = parseExecute({ ...withTimeout(fields), language: null, workdir: null });
  return { code, timeout, env, context: contextOf(fields) };
}

export function parseStreamCell(fields: Fields): StreamCell {
  return { type: typeOf(fields, ["execute"]), ...parseCell(fields) };
}
