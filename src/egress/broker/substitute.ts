import type { HeaderPairs } from "../ports.ts";
import { type Binding, describeUse } from "./binding.ts";
import { placeholdersOf } from "./find.ts";
import { headerSlot, type Slot, targetSlot, UnfitValue } from "./slots.ts";

export interface RequestHead {
  /** Path with query as sent. */
  readonly target: string;
  readonly headers: HeaderPairs;
}

export interface UsedSecret {
  readonly name: string;
  readonly placeholder: string;
  readonly value: string;
}

export type Substituted =
  | { readonly target: string; readonly headers: HeaderPairs; readonly used: readonly UsedSecret[] }
  /** For people; names variables and places, never a value. */
  | { readonly refused: string };

/**
 * Puts values in where each binding's `use` allows it. Refuses the request when a placeholder stands anywhere else, is of no binding, or
 * is of a binding of another host. Nothing is added to a request that carries no placeholder.
 * @param bound what `boundTo` gave for the host that this request goes to
 * @param all every binding of the sandbox, so that a refusal can name the variable
 */
export async function substitute(
  request: RequestHead,
  bound: readonly Binding[],
  fetchValue: (binding: Binding) => Promise<string>,
  all: readonly Binding[] = bound,
): Promise<Substituted> {
  const target = targetSlot(request.target, bound);
  const headers = request.headers.map(([name, value]) => ({ name, value, slot: headerSlot(name, value, bound) }));

  const problem = misplaced(target, headers, bound, all);
  if (problem !== null) return { refused: problem };

  const bindings = new Set([target, ...headers.map(({ slot }) => slot)].flatMap((slot) => slot?.bindings ?? []));
  const used: UsedSecret[] = [];
  for (const binding of bindings) {
    const value = await fetchValue(binding).catch(() => null);
    if (value === null) return { refused: `the secret ${binding.name} could not be read` };
    used.push({ name: binding.name, placeholder: binding.placeholder, value });
  }

  const values = new Map(used.map(({ placeholder, value }) => [placeholder, value]));
  const valueFor = (binding: Binding) => values.get(binding.placeholder) ?? "";
  try {
    return {
      target: target.fill(valueFor),
      headers: headers.map(({ name, value, slot }) => [name, slot === null ? value : slot.fill(valueFor)] as const),
      used,
    };
  } catch (error) {
    if (error instanceof UnfitValue) return { refused: error.message };
    throw error;
  }
}

interface HeaderSlot {
  readonly name: string;
  readonly value: string;
  readonly slot: Slot | null;
}

/** Why the first placeholder outside its place may not pass; null when there is none. */
function misplaced(
  target: Slot,
  headers: readonly HeaderSlot[],
  bound: readonly Binding[],
  all: readonly Binding[],
): string | null {
  const path = target.rest.slice(0, target.rest.indexOf("?"));
  const places: [place: string, text: string][] = [
    ["the path", path],
    ["the query", target.rest.slice(path.length)],
  ];
  for (const { name, value, slot } of headers) {
    places.push(
      ["the name of a header", name.toLowerCase()],
      [`the header ${name}`, slot === null ? value : slot.rest],
    );
  }
  for (const [place, text] of places) {
    const [placeholder] = placeholdersOf(text);
    if (placeholder !== undefined) return refusal(placeholder, place, bound, all);
  }
  return null;
}

function refusal(placeholder: string, place: string, bound: readonly Binding[], all: readonly Binding[]): string {
  const here = bound.find((binding) => binding.placeholder === placeholder);
  if (here !== undefined) {
    return `the placeholder of ${here.name} stands in ${place}; it may stand only in ${describeUse(here.use)}`;
  }
  const elsewhere = all.find((binding) => binding.placeholder === placeholder);
  if (elsewhere === undefined) return `${place} holds a placeholder that belongs to no secret bound to this host`;
  return `the placeholder of ${elsewhere.name} stands in ${place}; this secret goes to ${elsewhere.hosts.join(", ")} only, over TLS`;
}
