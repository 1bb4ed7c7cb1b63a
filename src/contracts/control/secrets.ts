import * as z from "zod";
import { requestIdSchema, timestampSchema } from "./shared.ts";

/** `secret-id` or `secret-id#json-key`. */
export const secretReferenceSchema = z
  .string()
  .regex(/^[\w/+=.@-]{1,512}(#[^#\0]{1,128})?$/, "is not secret-id or secret-id#json-key");

const hostSchema = z
  .string()
  .max(253)
  .regex(
    /^(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}(:\d{1,5})?$/i,
    "is not a host name such as api.example.com or *.example.com, with a port where it is not 443",
  )
  .transform((text) => text.toLowerCase());

/** How a request carries a brokered secret: `header <Name>: <text with $>`, `basic` (the password, or the user, of Basic authentication) or `query <name>`. */
export const secretUseSchema = z
  .string()
  .max(256)
  .regex(
    /^(header [A-Za-z0-9-]{1,64}: [\x20-\x7e]*\$[\x20-\x7e]*|basic|query [\w.-]{1,64})$/,
    'is not "header <Name>: <text with $>", "basic" or "query <name>"',
  )
  .refine((text) => !text.startsWith("header ") || text.split("$").length === 2, "needs exactly one $");

export const defaultSecretUse = "header Authorization: Bearer $";

/**
 * One secret of a sandbox. A text is the short form of `{from, deliver: "env"}`. `env`: code in the sandbox can read the value.
 * `broker`: it reads a placeholder, which the proxy replaces on the way to `hosts` and nowhere else.
 */
export const sandboxSecretSchema = z.preprocess(
  (value) => (typeof value === "string" ? { from: value } : value),
  z
    .strictObject({
      from: secretReferenceSchema,
      deliver: z.enum(["env", "broker"]).default("env"),
      hosts: z.array(hostSchema).min(1).max(20).optional(),
      as: secretUseSchema.optional(),
    })
    .refine((secret) => secret.deliver === "env" || secret.hosts !== undefined, 'deliver "broker" needs hosts')
    .refine(
      (secret) => secret.deliver === "broker" || (secret.hosts === undefined && secret.as === undefined),
      'hosts and as need deliver "broker"',
    ),
);
export type SandboxSecret = z.infer<typeof sandboxSecretSchema>;

/** The text that stands for a brokered secret inside. */
export const placeholderPattern = /bhsecret_[a-z2-7]{32}/;
export const placeholderPrefix = "bhsecret_";
export const placeholderLength = placeholderPrefix.length + 32;

/** A secret's name in this platform's own store. */
export const secretNameSchema = z
  .string()
  .regex(/^[\w/+=.@-]{1,256}$/, "a secret's name is 1 to 256 letters, digits and / _ + = . @ -")
  .refine((name) => !/(^|\/)\.{1,2}(\/|$)/.test(name), "a secret's name has no parts . and ..");

const maxSecretBytes = 64 * 1024;

/** `PUT /v1/secrets/{name}`. Issues never quote the value. */
export const putSecretSchema = z.strictObject({
  value: z
    .string("is a text")
    .min(1, "is empty")
    .refine((value) => Buffer.byteLength(value) <= maxSecretBytes, `is longer than ${maxSecretBytes} bytes`)
    .refine((value) => !value.includes("\0"), "contains a NUL character"),
});

export const secretSchema = z.object({
  object: z.literal("secret"),
  name: z.string(),
  version: z.number().int(),
  created_at: timestampSchema,
  updated_at: timestampSchema,
  request_id: requestIdSchema.optional(),
});
export type SecretView = z.infer<typeof secretSchema>;

export const secretListSchema = z.object({
  object: z.literal("list"),
  data: z.array(secretSchema),
  request_id: requestIdSchema,
});

export const removedSecretSchema = z.object({
  object: z.literal("secret"),
  name: z.string(),
  deleted: z.literal(true),
  request_id: requestIdSchema,
});
