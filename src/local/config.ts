import { resolve } from "node:path";
import * as z from "zod";
import { networkPolicySchema } from "#contracts/control/network.ts";
import type { AlertRule } from "#core/alerts/model.ts";
import { type AskedPolicy, askedPolicy, openPolicy } from "#core/network/policy.ts";

const port = (fallback: number) => z.coerce.number().int().min(0).max(65535).default(fallback);
const flag = (fallback: boolean) =>
  z
    .enum(["0", "1", "true", "false"])
    .transform((text) => text === "1" || text === "true")
    .default(fallback);
const seconds = (fallback: number) => z.coerce.number().int().min(1).max(31_536_000).default(fallback);

/** `base=2,code-interpreter=1`: how many warm instances of each template to hold. */
const poolSchema = z
  .string()
  .regex(/^$|^[a-z0-9-]+=\d{1,4}(,[a-z0-9-]+=\d{1,4})*$/, "write it as base=2,code-interpreter=1")
  .transform((text) =>
    Object.fromEntries(
      text
        .split(",")
        .filter((part) => part !== "")
        .map((part): [string, number] => [part.slice(0, part.indexOf("=")), Number(part.slice(part.indexOf("=") + 1))]),
    ),
  );

/** Environment variables of the platform on one machine. Units stand in the names; defaults are the product's. */
const localEnvSchema = z.object({
  BULKHEAD_HOME: z.string().min(1).default(".bulkhead"),
  BULKHEAD_HOST: z.string().min(1).default("127.0.0.1"),
  BULKHEAD_PORT: port(8080),
  BULKHEAD_GATEWAY_PORT: port(8081),
  /** Address callers reach the gateway by, when it is not http://HOST:GATEWAY_PORT. */
  BULKHEAD_GATEWAY_URL: z.url().optional(),
  BULKHEAD_POOL: poolSchema.default({ base: 2, "code-interpreter": 1 }),
  BULKHEAD_CODE_INTERPRETER: flag(true),
  BULKHEAD_ALLOW_UNENFORCED: flag(false),
  /** Install bubblewrap with apt-get when it is missing and we are root. */
  BULKHEAD_INSTALL: flag(true),
  BULKHEAD_IDLE_TIMEOUT_SECONDS: seconds(3600),
  BULKHEAD_MAX_LIFETIME_SECONDS: seconds(86_400),
  BULKHEAD_MAX_SANDBOXES: z.coerce.number().int().min(1).max(10_000).default(500),
  BULKHEAD_CREATE_WAIT_SECONDS: seconds(20),
  BULKHEAD_SWEEP_SECONDS: seconds(10),
  /** How long a quarantine holds unless whoever asks for it says otherwise. */
  BULKHEAD_QUARANTINE_SECONDS: seconds(604_800),
  /** Serve the account routes that the `hopx` command line asks (`/auth/*`). */
  BULKHEAD_ACCOUNT_ROUTES: flag(false),
  /** Comma-separated addresses or host names that sandboxes may reach although they are private. */
  BULKHEAD_EGRESS_ALLOW: z.string().default(""),
  /** Comma-separated `name=address`: names that the egress proxy resolves so, as a hosts file would. */
  BULKHEAD_EGRESS_HOSTS: z
    .string()
    .regex(/^([a-z0-9_.-]+=[0-9a-fA-F.:]+(,|$))*$/, "is not a list of name=address")
    .default(""),
  /** File of CA certificates (PEM) that the egress proxy trusts besides the usual ones, where it ends TLS. */
  BULKHEAD_EGRESS_TRUST: z.string().optional(),
  /** How long the egress record is kept. */
  BULKHEAD_EGRESS_DAYS: z.coerce.number().int().min(1).max(3650).default(30),
  /** What sandboxes may reach that say nothing themselves: a network policy as JSON. @default - every public address */
  BULKHEAD_NETWORK: z
    .string()
    .optional()
    .transform((text, context) => {
      if (text === undefined || text === "") return undefined;
      try {
        return networkPolicySchema.parse(JSON.parse(text));
      } catch (error) {
        context.addIssue({
          code: "custom",
          message: `is not a network policy: ${error instanceof Error ? error.message : ""}`,
        });
        return z.NEVER;
      }
    }),
  /** Longest life of an API key. @default - as long as is asked for */
  BULKHEAD_KEY_MAX_DAYS: z.coerce.number().int().min(1).max(3650).optional(),
  /** Keep the text of what is run in the audit record, beside its hash and size. */
  BULKHEAD_AUDIT_CONTENT: flag(false),
  /** Lay a key of no use into every sandbox; an alert says when somebody shows it. */
  BULKHEAD_DECOY: flag(true),
  /** Where alerts are posted to, signed with the secret in the file. */
  BULKHEAD_ALERT_WEBHOOK: z.url({ protocol: /^https?$/ }).optional(),
  /** @default - $BULKHEAD_HOME/alert-webhook-secret, made on first use */
  BULKHEAD_ALERT_WEBHOOK_SECRET_FILE: z.string().min(1).optional(),
  /** Comma-separated rules, such as decoy.used,egress.denied, whose alerts quarantine the sandbox. */
  BULKHEAD_QUARANTINE_ON: z
    .string()
    .default("")
    .transform((text) => text.split(",").filter((rule) => rule !== ""))
    .pipe(z.array(z.enum(["decoy.used", "egress.denied"]))),
  BULKHEAD_LOG: z.enum(["debug", "info", "warn", "error"]).default("warn"),
});

export interface LocalConfig {
  /** Absolute. */
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly gatewayPort: number;
  readonly gatewayUrl: string | null;
  readonly pool: Readonly<Record<string, number>>;
  readonly codeInterpreter: boolean;
  readonly allowUnenforced: boolean;
  readonly install: boolean;
  readonly idleTimeoutSeconds: number;
  readonly maxLifetimeSeconds: number;
  readonly maxSandboxes: number;
  readonly createWaitSeconds: number;
  readonly sweepSeconds: number;
  readonly quarantineSeconds: number;
  readonly accountRoutes: boolean;
  readonly egressAllow: readonly string[];
  /** Addresses by name. */
  readonly egressHosts: ReadonlyMap<string, string>;
  /** Absolute. */
  readonly egressTrust: string | null;
  readonly egressDays: number;
  readonly network: AskedPolicy;
  readonly auditContent: boolean;
  /** null: as long as is asked for. */
  readonly keyMaxSeconds: number | null;
  readonly decoy: boolean;
  readonly alertWebhook: string | null;
  /** Absolute. */
  readonly alertWebhookSecretFile: string | null;
  readonly quarantineOn: readonly AlertRule[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

/** @throws Error whose message lists every bad variable at once */
export function parseLocalConfig(environment: Readonly<Record<string, string | undefined>>, cwd: string): LocalConfig {
  const parsed = localEnvSchema.safeParse(environment);
  if (!parsed.success) throw new Error(`Bad configuration:\n${z.prettifyError(parsed.error)}`);
  const env = parsed.data;
  return {
    home: resolve(cwd, env.BULKHEAD_HOME),
    host: env.BULKHEAD_HOST,
    port: env.BULKHEAD_PORT,
    gatewayPort: env.BULKHEAD_GATEWAY_PORT,
    gatewayUrl: env.BULKHEAD_GATEWAY_URL?.replace(/\/+$/, "") ?? null,
    pool: env.BULKHEAD_POOL,
    codeInterpreter: env.BULKHEAD_CODE_INTERPRETER,
    allowUnenforced: env.BULKHEAD_ALLOW_UNENFORCED,
    install: env.BULKHEAD_INSTALL,
    idleTimeoutSeconds: env.BULKHEAD_IDLE_TIMEOUT_SECONDS,
    maxLifetimeSeconds: env.BULKHEAD_MAX_LIFETIME_SECONDS,
    maxSandboxes: env.BULKHEAD_MAX_SANDBOXES,
    createWaitSeconds: env.BULKHEAD_CREATE_WAIT_SECONDS,
    sweepSeconds: env.BULKHEAD_SWEEP_SECONDS,
    quarantineSeconds: env.BULKHEAD_QUARANTINE_SECONDS,
    accountRoutes: env.BULKHEAD_ACCOUNT_ROUTES,
    egressAllow: env.BULKHEAD_EGRESS_ALLOW.split(",").filter((entry) => entry !== ""),
    egressHosts: new Map(
      env.BULKHEAD_EGRESS_HOSTS.split(",").flatMap((entry) => {
        const [name = "", address] = entry.split("=");
        return address === undefined ? [] : [[name, address] as const];
      }),
    ),
    egressTrust: env.BULKHEAD_EGRESS_TRUST === undefined ? null : resolve(cwd, env.BULKHEAD_EGRESS_TRUST),
    egressDays: env.BULKHEAD_EGRESS_DAYS,
    network: env.BULKHEAD_NETWORK === undefined ? openPolicy : askedPolicy(env.BULKHEAD_NETWORK),
    keyMaxSeconds: env.BULKHEAD_KEY_MAX_DAYS === undefined ? null : env.BULKHEAD_KEY_MAX_DAYS * 86_400,
    auditContent: env.BULKHEAD_AUDIT_CONTENT,
    decoy: env.BULKHEAD_DECOY,
    alertWebhook: env.BULKHEAD_ALERT_WEBHOOK ?? null,
    alertWebhookSecretFile:
      env.BULKHEAD_ALERT_WEBHOOK_SECRET_FILE === undefined
        ? null
        : resolve(cwd, env.BULKHEAD_ALERT_WEBHOOK_SECRET_FILE),
    quarantineOn: env.BULKHEAD_QUARANTINE_ON,
    logLevel: env.BULKHEAD_LOG,
  };
}
