/**
 * Which secrets a project may name. A secret is usable by a project when both hold:
 * 1. its name is `<prefix>/<project>/<anything>`, checked here: the service's own rights are the same for every project;
 * 2. it carries the tag `bulkhead:deployment` with the deployment's name, checked by IAM: a secret that merely has such a name, and
 *    that nobody gave to this deployment, stays out of reach.
 * References are names, never ARNs: an ARN could name another account or region.
 */
export interface SecretReference {
  readonly name: string;
  /** Field of a JSON object; null for the whole text. */
  readonly jsonKey: string | null;
}

/** What may stand between two slashes of a secret's name; a project called otherwise has no secrets. */
const projectPattern = /^[\w.+=@-]{1,128}$/;
const namePattern = /^[\w/+=.@-]{1,512}$/;

export type ReadReference =
  | { readonly reference: SecretReference }
  /** For the log only. */
  | { readonly refused: string };

export function readReference(text: string, prefix: string, projectId: string): ReadReference {
  const at = text.indexOf("#");
  const name = at === -1 ? text : text.slice(0, at);
  const jsonKey = at === -1 ? null : text.slice(at + 1);
  if (!namePattern.test(name) || jsonKey === "") return { refused: "not secret-id or secret-id#json-key" };
  if (!projectPattern.test(projectId)) return { refused: "a project of such a name has no secrets" };
  const own = `${prefix.replace(/\/+$/, "")}/${projectId}/`;
  if (!name.startsWith(own) || name.length === own.length) return { refused: `not a name below ${own}` };
  return { reference: { name, jsonKey } };
}
