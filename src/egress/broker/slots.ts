import { type Binding, parseUse, type Use } from "./binding.ts";
import { fromBase64, percentDecode } from "./find.ts";

export type ValueFor = (binding: Binding) => string;

/** A text with places that hold secrets. */
export interface Slot {
  readonly bindings: readonly Binding[];
  /** The text without those places. */
  readonly rest: string;
  /** @throws UnfitValue */
  fill(valueFor: ValueFor): string;
}

/** A value that cannot stand where its use puts it. The message names no value. */
export class UnfitValue extends Error {
  override readonly name = "UnfitValue";
}

const isUse =
  <Kind extends Use["kind"]>(kind: Kind) =>
  (entry: { binding: Binding; use: Use }): entry is { binding: Binding; use: Extract<Use, { kind: Kind }> } =>
    entry.use.kind === kind;

const withUse = (bound: readonly Binding[]) => bound.map((binding) => ({ binding, use: parseUse(binding.use) }));

/** A header that is, as a whole, what a binding's use says; null for any other. */
export function headerSlot(name: string, value: string, bound: readonly Binding[]): Slot | null {
  const lower = name.toLowerCase();
  for (const { binding, use } of withUse(bound).filter(isUse("header"))) {
    if (use.header.toLowerCase() !== lower) continue;
    const text = value.trim();
    const start = text.slice(0, use.before.length);
    if (text.slice(use.before.length) !== binding.placeholder + use.after) continue;
    if (comparable(lower, start) !== comparable(lower, use.before)) continue;
    return {
      bindings: [binding],
      rest: start + use.after,
      fill: (valueFor) => start + forHeader(binding, valueFor(binding)) + use.after,
    };
  }
  return lower === "authorization" ? basicSlot(value, bound) : null;
}

/** The scheme of Authorization is the same in any case (RFC 9110 §11.1). */
function comparable(header: string, text: string): string {
  return header === "authorization" ? text.replace(/^\S+/, (scheme) => scheme.toLowerCase()) : text;
}

function forHeader(binding: Binding, value: string): string {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
    throw new UnfitValue(
      `the value of ${binding.name} holds a character that no header can carry, such as a line break`,
    );
  }
  return value;
}

function basicSlot(value: string, bound: readonly Binding[]): Slot | null {
  const match = /^\s*basic\s+([\w+/-]+=*)\s*$/i.exec(value);
  if (match === null) return null;
  const credentials = fromBase64(match[1] ?? "");
  const colon = credentials.indexOf(":");
  if (colon < 0) return null;
  const sides = [credentials.slice(0, colon), credentials.slice(colon + 1)];
  const basics = withUse(bound).filter(isUse("basic"));
  const held = sides.map((side) => basics.find(({ binding }) => binding.placeholder === side)?.binding);
  if (held.every((binding) => binding === undefined)) return null;
  return {
    bindings: held.filter((binding) => binding !== undefined),
    rest: sides.filter((_, index) => held[index] === undefined).join(":"),
    fill(valueFor) {
      const [user, password] = sides.map((side, index) => {
        const binding = held[index];
        return binding === undefined ? Buffer.from(side, "latin1") : forBasic(binding, valueFor(binding), index === 0);
      });
      const bytes = Buffer.concat([user ?? Buffer.alloc(0), Buffer.from(":"), password ?? Buffer.alloc(0)]);
      return `Basic ${bytes.toString("base64")}`;
    },
  };
}

/** User and password are UTF-8 without control characters, and a user has no colon (RFC 7617 §2). */
function forBasic(binding: Binding, value: string, isUser: boolean): Buffer {
  if (/\p{Cc}/u.test(value) || (isUser && value.includes(":"))) {
    throw new UnfitValue(`the value of ${binding.name} holds a character that Basic authentication cannot carry`);
  }
  return Buffer.from(value);
}

/** The target, with the query parameters that are, as a whole, a placeholder. */
export function targetSlot(target: string, bound: readonly Binding[]): Slot {
  const queries = withUse(bound).filter(isUse("query"));
  const [path, query] = splitOnce(target, "?");
  const parts = (query?.split("&") ?? []).map((text) => {
    const [key, value = ""] = splitOnce(text, "=");
    const name = percentDecode(key.replaceAll("+", " "));
    const placeholder = percentDecode(value);
    const held = queries.find(({ binding, use }) => use.parameter === name && binding.placeholder === placeholder);
    return { text, key, binding: held?.binding };
  });
  return {
    bindings: parts.flatMap(({ binding }) => binding ?? []),
    rest: `${path}?${parts.map(({ text, key, binding }) => (binding === undefined ? text : key)).join("&")}`,
    fill(valueFor) {
      if (query === undefined) return target;
      const filled = parts.map(({ text, key, binding }) =>
        binding === undefined ? text : `${key}=${forQuery(binding, valueFor(binding))}`,
      );
      return `${path}?${filled.join("&")}`;
    },
  };
}

function forQuery(binding: Binding, value: string): string {
  if (/[\r\n\0]|\p{Cs}/u.test(value)) {
    throw new UnfitValue(
      `the value of ${binding.name} holds a character that no request can carry, such as a line break`,
    );
  }
  return encodeURIComponent(value);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
