import * as z from "zod";

/** Bytes of all names and values of one environment together. */
export const maxEnvBytes = 256 * 1024;

/** Bytes of one name with its value: Linux starts no process that is given a longer string than 128 KiB with `=` and NUL (execve(2)). */
export const maxEnvEntryBytes = 128 * 1024 - 2;

const envName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Environment variables. Issues name the variable, never its value: values are secrets more often than not.
 * Parsed entry by entry, so that a wrong value is reported by its own name.
 */
export const envVarsSchema = z.record(z.string(), z.string()).superRefine((vars, context) => {
  for (const [name, value] of Object.entries(vars)) {
    if (!envName.test(name)) {
      context.addIssue({
        code: "custom",
        path: [name],
        message: "a name is a letter or _ followed by letters, digits and _",
      });
    }
    if (value.includes("\0")) {
      context.addIssue({ code: "custom", path: [name], message: "a value cannot contain a NUL character" });
    }
    if (Buffer.byteLength(name) + Buffer.byteLength(value) > maxEnvEntryBytes) {
      context.addIssue({
        code: "custom",
        path: [name],
        message: `a name and its value take at most ${maxEnvEntryBytes} bytes`,
      });
    }
  }
  const bytes = envBytes(vars);
  if (bytes > maxEnvBytes) {
    context.addIssue({ code: "custom", message: `names and values take ${bytes} bytes; at most ${maxEnvBytes} fit` });
  }
});

/** UTF-8 bytes that a process's environment block needs for these variables, without separators. */
export function envBytes(vars: Readonly<Record<string, string>>): number {
  return Object.entries(vars).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
}

/** `PUT /env` replaces everything, `PATCH /env` adds to what is there. */
export const envSetRequestSchema = z.object({
  env_vars: envVarsSchema,
  /** PATCH only; clients always send true there. False replaces, as PUT does. */
  merge: z.boolean().nullish(),
  timestamp: z.string().nullish(),
});
export type EnvSetRequest = z.infer<typeof envSetRequestSchema>;

/** Answer of all four verbs. Real values: clients delete one variable by GET and PUT of the rest (contract rule 29). */
export const envResponseSchema = z.object({
  env_vars: z.record(z.string(), z.string()),
  count: z.number().int(),
  timestamp: z.string(),
});
export type EnvResponse = z.infer<typeof envResponseSchema>;
