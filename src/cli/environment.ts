import * as z from "zod";

/** Environment variables the command reads; main.ts parses `process.env` with it, once. */
export const cliEnvSchema = z.object({
  /** Control plane to talk to; default is the one on this machine. */
  BULKHEAD_URL: z.url().optional(),
  BULKHEAD_PORT: z.coerce.number().int().min(0).max(65535).optional(),
  BULKHEAD_HOME: z.string().min(1).optional(),
  BULKHEAD_API_KEY: z.string().min(1).optional(),
  HOPX_API_KEY: z.string().min(1).optional(),
});

export type CliEnv = z.infer<typeof cliEnvSchema>;

/** Data directory of a platform whose `BULKHEAD_HOME` is not set, relative to where it is started. */
export const defaultHome = ".bulkhead";

export const defaultPort = 8080;
