import { makeTextIndex, windowLength } from "./text-index.ts";
import { formsOf } from "./value-forms.ts";

/** Shorter values stand in too many texts by chance. */
export const shortestSecret = windowLength;

/** Whom values were delivered to. */
export interface SecretOwner {
  /** A sandbox's id, or the name of what else keeps them. */
  readonly id: string;
  readonly projectId: string;
}

/**
 * The values of secrets that this process knows, so that they can be taken out of all that it writes. They are kept in closures: nothing
 * that prints, serializes or compares this object sees one.
 */
export interface SecretValues {
  /** Values by the names that stand for them. What the owner has already stays. Those of less than eight characters are left out. */
  remember(owner: SecretOwner, values: Readonly<Record<string, string>>): void;
  /** A value that another owner has too stays known. */
  forget(ownerId: string): void;
  /**
   * The text with `[secret NAME]` in the place of every known value: as it is, in lower case, percent-encoded, JSON-escaped, in base64.
   * @param projectId only values of this project: whoever is answered must not learn by a guess what another project's values are
   * @default - values of all projects
   */
  hide(text: string, projectId?: string): string;
}

/** Who has a value, in one of its forms, and under which names. */
type Holders = Map<string, { readonly projectId: string; readonly names: Set<string> }>;

export function makeSecretValues(): SecretValues {
  const index = makeTextIndex<Holders>();
  /** Forms by owner. */
  const owned = new Map<string, Set<string>>();

  function hold(form: string, { id, projectId }: SecretOwner, name: string): void {
    const holders: Holders = index.get(form) ?? new Map<string, { projectId: string; names: Set<string> }>();
    if (holders.size === 0) index.set(form, holders);
    const holder = holders.get(id) ?? { projectId, names: new Set() };
    holders.set(id, holder);
    holder.names.add(name);
  }

  return {
    remember(owner, values) {
      const forms = owned.get(owner.id) ?? new Set();
      for (const [name, value] of Object.entries(values)) {
        if (value.length < shortestSecret || index.get(value)?.get(owner.id)?.names.has(name) === true) continue;
        for (const form of formsOf(value).filter(({ length }) => length >= shortestSecret)) {
          hold(form, owner, name);
          forms.add(form);
        }
      }
      if (forms.size > 0) owned.set(owner.id, forms);
    },
    forget(ownerId) {
      for (const form of owned.get(ownerId) ?? []) {
        const holders = index.get(form);
        holders?.delete(ownerId);
        if (holders?.size === 0) index.delete(form);
      }
      owned.delete(ownerId);
    },
    hide: (text, projectId) => index.replace(text, (holders) => markOf(holders, projectId)),
  };
}

/** undefined: nobody in the project has it. */
function markOf(holders: Holders, projectId: string | undefined): string | undefined {
  for (const holder of holders.values()) {
    const [name] = holder.names;
    if (name !== undefined && (projectId === undefined || holder.projectId === projectId)) return `[secret ${name}]`;
  }
  return undefined;
}
