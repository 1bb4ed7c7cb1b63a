import { z } from "zod";

/**
 * Values of CDK context: typed when they come from cdk.json, text when they come from `-c name=value`. Each schema takes both.
 */

export const whole = (min: number, max: number) => z.preprocess(asNumber, z.number().int().min(min).max(max));

/** A member of an enum of numbers. */
export const oneOf = <T extends Readonly<Record<string, string | number>>>(members: T) =>
  z.preprocess(asNumber, z.enum(members));

function asNumber(value: unknown): unknown {
  return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
}

export const yesOrNo = () =>
  z.preprocess((value) => (value === "true" ? true : value === "false" ? false : value), z.boolean());

/** A record, or the JSON of one. */
export const recordOf = <T extends z.ZodType>(values: T) => jsonOf(z.record(z.string().min(1), values));

/** A value of any shape, or its JSON. */
export const jsonOf = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (typeof value === "string" ? parsed(value) : value), schema);

/** Names of two different zones of one region: a list, or text with a comma. */
export const zonePair = () =>
  z.preprocess(
    (value) => (typeof value === "string" ? value.split(",").map((zone) => zone.trim()) : value),
    z
      .array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, "not the name of a zone such as us-east-1a"))
      .length(2, "exactly two zones: load balancers want two")
      .refine(([one, other]) => one !== other && one?.slice(0, -1) === other?.slice(0, -1), "two zones of one region"),
  );

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const cidrPattern = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/;

/** First and last address of an IPv4 range as numbers; undefined when the text is none. */
export function addressesOf(cidr: string): { readonly first: number; readonly last: number } | undefined {
  const match = cidrPattern.exec(cidr);
  if (match === null) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = match.slice(1).map(Number);
  if ([a, b, c, d].some((octet) => octet > 255) || bits > 32) return undefined;
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  const size = 2 ** (32 - bits);
  return first % size === 0 ? { first, last: first + size - 1 } : undefined;
}

const privateRanges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

function isPrivate(cidr: string): boolean {
  const range = addressesOf(cidr);
  return privateRanges.some((known) => {
    const whole = addressesOf(known);
    return range !== undefined && whole !== undefined && whole.first <= range.first && range.last <= whole.last;
  });
}

/** Address range of a VPC: private, aligned, of a size that AWS takes. */
export const vpcCidr = () =>
  z
    .string()
    .refine((text) => addressesOf(text) !== undefined, "not an aligned IPv4 range such as 10.92.0.0/16")
    .refine(isPrivate, "outside the private ranges (RFC 1918): the egress proxy protects only those")
    .refine((text) => /\/(1[6-9]|2[0-4])$/.test(text), "a VPC's range is /16 to /24 here");

export function overlap(one: string, other: string): boolean {
  const a = addressesOf(one);
  const b = addressesOf(other);
  return a !== undefined && b !== undefined && a.first <= b.last && b.first <= a.last;
}
