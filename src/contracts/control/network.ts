import * as z from "zod";
import { requestIdSchema, timestampSchema } from "./shared.ts";

/**
 * `deny-all`: nothing. `allow-list`: what a rule names. `allow-all-but`: every public address except what a rule names. `observe`: every
 * public address, rules change nothing; for learning what a program needs (`bulkhead policy suggest`).
 */
export const networkModes = ["deny-all", "allow-list", "allow-all-but", "observe"] as const;
export type NetworkMode = (typeof networkModes)[number];

const name = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const numeric = /(^|\.)(\d+|0x[0-9a-f]*)$/;

const hostSchema = z
  .string()
  .max(253)
  .transform((text) => text.toLowerCase().replace(/\.$/, ""))
  .refine(
    (text) => name.test(text) && !numeric.test(text),
    "is not a host name such as api.example.com or *.example.com; addresses go into cidr",
  );

/** `203.0.113.0/24`, `2001:db8::/32` or one address. */
const cidrSchema = z
  .union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], "is not an address or a range such as 203.0.113.0/24")
  .transform((text) => text.toLowerCase());

const portNumber = z.number().int().min(1).max(65_535);
const portSchema = z.union(
  [
    portNumber,
    z
      .string()
      .regex(/^\d{1,5}-\d{1,5}$/)
      .refine((text) => {
        const [from = 0, to = 0] = text.split("-").map(Number);
        return from >= 1 && from <= to && to <= 65_535;
      }),
  ],
  "is not a port or a range such as 8000-8100",
);

const methodSchema = z
  .string()
  .regex(/^[A-Za-z]{1,20}$/, "is not an HTTP method")
  .transform((text) => text.toUpperCase());
const pathSchema = z
  .string()
  .max(512)
  .regex(/^\/[^\s?#]*$/, "is not a path that begins with /");

/** Exactly one of `host` and `cidr`. What is left out does not limit, except `ports`. */
const ruleObjectSchema = z
  .strictObject({
    /** A name, or `*.` and a name for every name below it (not itself). */
    host: hostSchema.optional(),
    cidr: cidrSchema.optional(),
    /** Left out: 80 and 443 where the rule allows, every port where it refuses. */
    ports: z.array(portSchema).min(1).max(20).optional(),
    /** Only for HTTP that the proxy sees: without TLS, or to hosts whose TLS it ends (a brokered secret, or `inspect`). */
    methods: z.array(methodSchema).min(1).max(10).optional(),
    /** Prefixes by whole segments: `/v1` is `/v1` and `/v1/…`. As `methods`. */
    paths: z.array(pathSchema).min(1).max(20).optional(),
    /** End TLS at the proxy for this host, so that methods and paths are seen. @default false */
    inspect: z.boolean().optional(),
  })
  .refine((rule) => (rule.host === undefined) !== (rule.cidr === undefined), "needs either host or cidr")
  .refine((rule) => rule.inspect !== true || rule.host !== undefined, "inspect needs a host");

const short =
  /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+|[0-9a-fA-F:.]+\/\d+|[0-9a-fA-F:]*::[0-9a-fA-F:.]*))(?::(\d{1,5}(?:-\d{1,5})?))?$/;

/** `api.example.com`, `*.example.com:8443`, `203.0.113.0/24:22`. */
function fromShort(text: string): unknown {
  const [, bracketed, plain = "", ports] = short.exec(text) ?? [];
  const target = bracketed ?? plain;
  const isAddress = bracketed !== undefined || target.includes("/") || target.includes(":") || numeric.test(target);
  const port = ports === undefined ? undefined : ports.includes("-") ? ports : Number(ports);
  return { ...(isAddress ? { cidr: target } : { host: target }), ...(port !== undefined && { ports: [port] }) };
}

export const networkRuleSchema = z.preprocess(
  (value) => (typeof value === "string" ? fromShort(value) : value),
  ruleObjectSchema,
);
export type NetworkRuleBody = z.infer<typeof ruleObjectSchema>;

/** Lets the sandbox call these AWS actions; the proxy signs, the sandbox has no credentials. */
export const awsGrantSchema = z.strictObject({
  actions: z
    .array(z.string().regex(/^[a-z0-9-]{1,63}:[A-Za-z*]{1,128}$/, "is not an action such as s3:GetObject"))
    .min(1)
    .max(30),
  resources: z
    .array(z.string().regex(/^(arn:[\x21-\x7e]{1,512}|\*)$/, "is not an ARN"))
    .min(1)
    .max(30),
});
export type AwsGrantBody = z.infer<typeof awsGrantSchema>;

/** What a sandbox may reach. At most 200 rules. */
export const networkPolicySchema = z.strictObject({
  mode: z.enum(networkModes),
  rules: z.array(networkRuleSchema).max(200).default([]),
  /** Whether secrets may be delivered into the environment (`deliver: "env"`). @default true */
  env_secrets: z.boolean().default(true),
  aws: z.array(awsGrantSchema).max(20).default([]),
});
export type NetworkPolicyBody = z.infer<typeof networkPolicySchema>;

/** `PUT /v1/sandboxes/{id}/network`. */
export const putNetworkSchema = networkPolicySchema.extend({
  /** Replace only this version. @default - whatever is there */
  version: z.number().int().min(1).optional(),
});

/** Where a policy came from. */
export const networkSources = ["deployment", "template", "create", "replaced"] as const;

export const networkAnswerSchema = z.object({
  object: z.literal("network_policy"),
  sandbox_id: z.string(),
  /** Grows by one with each replacement. */
  version: z.number().int(),
  source: z.enum(networkSources),
  updated_at: timestampSchema,
  mode: z.enum(networkModes),
  rules: z.array(
    z.object({
      host: z.string().optional(),
      cidr: z.string().optional(),
      ports: z.array(z.union([z.number().int(), z.string()])).optional(),
      methods: z.array(z.string()).optional(),
      paths: z.array(z.string()).optional(),
      inspect: z.boolean().optional(),
    }),
  ),
  env_secrets: z.boolean(),
  aws: z.array(z.object({ actions: z.array(z.string()), resources: z.array(z.string()) })),
  request_id: requestIdSchema,
});
export type NetworkAnswer = z.infer<typeof networkAnswerSchema>;
