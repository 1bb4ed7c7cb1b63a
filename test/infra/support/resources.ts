import type { Template } from "aws-cdk-lib/assertions";

export type Properties = Readonly<Record<string, unknown>>;
export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly properties: Properties;
  readonly deletionPolicy: string | undefined;
}

/** Every resource of a template, or those of one type. */
export function resourcesOf(template: Template, type?: string): Resource[] {
  const resources = (template.toJSON() as { Resources: Record<string, RawResource> }).Resources;
  return Object.entries(resources)
    .map(([id, { Type, Properties = {}, DeletionPolicy }]) => {
      return { id, type: Type, properties: Properties, deletionPolicy: DeletionPolicy };
    })
    .filter((resource) => type === undefined || resource.type === type);
}

interface RawResource {
  readonly Type: string;
  readonly Properties?: Properties;
  readonly DeletionPolicy?: string;
}

/** The one resource of a type whose id starts with the prefix. */
export function theResource(template: Template, type: string, prefix = ""): Resource {
  const found = resourcesOf(template, type).filter(({ id }) => id.startsWith(prefix));
  const [first] = found;
  if (first === undefined || found.length > 1) {
    throw new Error(`${found.length} of ${type} start with "${prefix}"; there are ${ids(template, type)}`);
  }
  return first;
}

function ids(template: Template, type: string): string {
  return resourcesOf(template, type)
    .map(({ id }) => id)
    .join(", ");
}

export interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource?: unknown;
  readonly Principal?: unknown;
  readonly Condition?: Properties;
}

/** Statements of a policy document, wherever in a resource it stands. */
export function statementsOf(document: unknown): Statement[] {
  return (document as { Statement: Statement[] }).Statement;
}

export function actionsOf({ Action }: Statement): string[] {
  return typeof Action === "string" ? [Action] : Action;
}

/** What an operator of a statement's condition compares a key with, as text; "" when it compares nothing. */
export function conditionOf(statement: Statement | undefined, operator: string, key: string): string {
  const compared = statement?.Condition?.[operator] as Properties | undefined;
  return compared?.[key] === undefined ? "" : flat(compared[key]);
}

/** A value with its references written as `${…}`, to be compared as text. */
export function flat(value: unknown): string {
  if (typeof value === "string") return value;
  const node = value as { Ref?: string; "Fn::Join"?: [string, unknown[]]; "Fn::GetAtt"?: string[] };
  if (node.Ref !== undefined) return `\${${node.Ref}}`;
  if (node["Fn::GetAtt"] !== undefined) return `\${${node["Fn::GetAtt"].join(".")}}`;
  if (node["Fn::Join"] !== undefined) return node["Fn::Join"][1].map(flat).join(node["Fn::Join"][0]);
  return JSON.stringify(value);
}
