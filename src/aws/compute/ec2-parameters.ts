/** Parameters of an EC2 call as the Query protocol names them; lists are counted from one. */
export interface QueryParameters {
  readonly [name: string]: QueryValue;
}
type QueryValue = string | number | boolean | QueryParameters | readonly QueryValue[];

/** `{IpPermissions: [{FromPort: 1}]}` as `{"IpPermissions.1.FromPort": "1"}`. */
export function flatten(parameters: QueryParameters, prefix = ""): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) Object.assign(flat, flattenValue(`${prefix}${name}`, value));
  return flat;
}

function flattenValue(name: string, value: QueryValue): Record<string, string> {
  if (typeof value !== "object") return { [name]: String(value) };
  if (!isList(value)) return flatten(value, `${name}.`);
  return Object.fromEntries(value.flatMap((item, index) => Object.entries(flattenValue(`${name}.${index + 1}`, item))));
}

function isList(value: QueryParameters | readonly QueryValue[]): value is readonly QueryValue[] {
  return Array.isArray(value);
}
