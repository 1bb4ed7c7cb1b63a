import type { CommandRequest } from "#contracts/agent/commands.ts";
import type { EnvSetRequest } from "#contracts/agent/env.ts";
import type { ExecuteRequest } from "#contracts/agent/exec.ts";
import { maxExecSeconds } from "#contracts/agent/languages.ts";
import type { ActivateRequest, DecoyFile, Lease } from "#contracts/agent-control.ts";
import { booleanOf, type Fields, fieldsOf, integerOf, invalid, numberOf, required, textOf, textOr } from "./fields.ts";

/** Bytes of all names and values of one environment, as in contracts. */
export const maxEnvBytes = 256 * 1024;
/** Bytes of one name with its value, as in contracts. */
const maxEnvEntryBytes = 128 * 1024 - 2;
const envName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Seconds, clamped; 0, null and absent mean the default. */
export function timeoutOf(fields: Fields, byDefault: number, longest = maxExecSeconds): number {
  const seconds = numberOf(fields["timeout"] ?? byDefault, "timeout");
  if (seconds < 0) throw invalid("timeout", "must not be negative");
  return Math.min(seconds || byDefault, longest);
}

function workdirOf(fields: Fields): string {
  const path = textOr(fields, "workdir", "/workspace");
  if (path.length > 4096) throw invalid("workdir", "is longer than 4096 characters");
  return path;
}

/** Problems name the variable, never its value. */
function envOf(value: unknown, field: string): Record<string, string> {
  const vars: Record<string, string> = {};
  let bytes = 0;
  for (const [name, text] of Object.entries(fieldsOf(value, field))) {
    const place = `${field}.${name}`;
    if (typeof text !== "string") throw invalid(place, "must be a string");
    if (!envName.test(name)) throw invalid(place, "is no name: use a letter or _ followed by letters, digits and _");
    if (text.includes("\0")) throw invalid(place, "cannot contain a NUL character");
    const taken = Buffer.byteLength(name) + Buffer.byteLength(text);
    if (taken > maxEnvEntryBytes) throw invalid(place, `takes ${taken} bytes; at most ${maxEnvEntryBytes} fit`);
    bytes += taken;
    vars[name] = text;
  }
  if (bytes > maxEnvBytes) throw invalid(field, `takes ${bytes} bytes; at most ${maxEnvBytes} fit`);
  return vars;
}

export function parseExecute(body: unknown): ExecuteRequest {
  const fields = fieldsOf(body, "body");
  return {
    code: textOf(required(fields, "code"), "code"),
    language: textOr(fields, "language", "python"),
    timeout: timeoutOf(fields, 120),
    workdir: workdirOf(fields),
    env: envOf(fields["env"] ?? {}, "env"),
  };
}

export function parseCommand(body: unknown): CommandRequest {
  const fields = fieldsOf(body, "body");
  const command = textOf(required(fields, "command"), "command");
  if (command === "") throw invalid("command", "is empty");
  const args = fields["args"] ?? [];
  if (!Array.isArray(args)) throw invalid("args", "must be a list of strings");
  return {
    command,
    args: args.map((arg: unknown, index) => textOf(arg, `args[${index}]`)),
    timeout: timeoutOf(fields, 30),
    workdir: workdirOf(fields),
    env: envOf(fields["env"] ?? {}, "env"),
  };
}

export function parseEnvSet(body: unknown): EnvSetRequest {
  const fields = fieldsOf(body, "body");
  const merge = fields["merge"];
  const timestamp = fields["timestamp"];
  return {
    env_vars: envOf(required(fields, "env_vars"), "env_vars"),
    ...(merge === undefined ? {} : { merge: merge === null ? null : booleanOf(merge, "merge") }),
    ...(timestamp === undefined ? {} : { timestamp: timestamp === null ? null : textOf(timestamp, "timestamp") }),
  };
}

export function parseLease(body: unknown): Lease {
  const fields = fieldsOf(body, "lease");
  const idle = integerOf(required(fields, "idle_ms"), "idle_ms");
  if (idle <= 0) throw invalid("idle_ms", "must be positive");
  const timeoutAt = fields["timeout_at"];
  return {
    ...(timeoutAt === undefined ? {} : { timeout_at: integerOf(timeoutAt, "timeout_at") }),
    lifetime_at: integerOf(required(fields, "lifetime_at"), "lifetime_at"),
    idle_ms: idle,
  };
}

/** The control plane has checked names and sizes of `env` already. */
function checkedEnvOf(value: unknown): Record<string, string> {
  const fields = fieldsOf(value, "env");
  return Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, textOf(text, `env.${name}`)]));
}

function namesOf(value: unknown): string[] {
  if (!Array.isArray(value)) throw invalid("secret_names", "must be a list of strings");
  return value.map((name: unknown, index) => textOf(name, `secret_names[${index}]`));
}

function decoyOf(value: unknown): DecoyFile {
  const fields = fieldsOf(value, "decoy");
  return { path: textOf(required(fields, "path"), "path"), content: textOf(required(fields, "content"), "content") };
}

export function parseActivate(body: unknown): ActivateRequest {
  const fields = fieldsOf(body, "body");
  const resources = fieldsOf(required(fields, "resources"), "resources");
  const names = fields["secret_names"];
  const decoy = fields["decoy"];
  return {
    sandbox_id: textOf(required(fields, "sandbox_id"), "sandbox_id"),
    env: checkedEnvOf(required(fields, "env")),
    ...(names !== undefined && { secret_names: namesOf(names) }),
    lease: parseLease(required(fields, "lease")),
    internet_access: booleanOf(required(fields, "internet_access"), "internet_access"),
    resources: {
      vcpu: numberOf(required(resources, "vcpu"), "vcpu"),
      memory_mb: numberOf(required(resources, "memory_mb"), "memory_mb"),
      disk_mb: numberOf(required(resources, "disk_mb"), "disk_mb"),
    },
    ...(decoy !== undefined && { decoy: decoyOf(decoy) }),
  };
}
