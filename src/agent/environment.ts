import type { AgentEnv } from "#contracts/agent-control.ts";

/** The agent's own settings, and what a container service tells about the account it runs in. */
const hidden = /^(BULKHEAD|ECS|AWS)_/;

type Variables = Readonly<Record<string, string | undefined>>;

export interface AgentSettings extends Omit<AgentEnv, "BULKHEAD_ROOTS" | "BULKHEAD_FEATURES"> {
  readonly roots: readonly string[];
  readonly features: readonly string[];
  /** What user code inherits: the process's own environment without the agent's settings. */
  readonly base: Readonly<Record<string, string>>;
}

function text(variables: Variables, name: keyof AgentEnv): string {
  const value = variables[name];
  if (value === undefined) throw new Error(`${name} is not set. Start the agent with the variables of agentEnvSchema.`);
  return value;
}

function integer(variables: Variables, name: keyof AgentEnv): number | undefined {
  const value = variables[name];
  if (value === undefined) return undefined;
  const number = Number(value);
  if (value.trim() === "" || !Number.isInteger(number)) throw new Error(`${name} must be a whole number.`);
  return number;
}

function texts(variables: Variables, name: keyof AgentEnv, byDefault: string): readonly string[] {
  const list: unknown = JSON.parse(variables[name] ?? byDefault);
  if (!Array.isArray(list) || !list.every((item) => typeof item === "string")) {
    throw new Error(`${name} must be a JSON array of strings.`);
  }
  return list;
}

/** A protection that is misspelt must not be missing in silence: anything but `value` is refused. */
function isSet(variables: Variables, name: keyof AgentEnv, value: string): boolean {
  const given = variables[name];
  if (given === undefined || given === value) return given === value;
  throw new Error(`${name} must be "${value}" or not be set.`);
}

/** The agent's settings, read as agentEnvSchema reads them but without loading zod. */
export function readSettings(variables: Variables): AgentSettings {
  const fd = integer(variables, "BULKHEAD_AGENT_FD");
  const uid = integer(variables, "BULKHEAD_USER_UID");
  const gid = integer(variables, "BULKHEAD_USER_GID");
  const egress = variables["BULKHEAD_EGRESS_SOCKET"];
  const address = variables["BULKHEAD_EGRESS_ADDRESS"];
  const caFile = variables["BULKHEAD_CA_FILE"];
  const quota = integer(variables, "BULKHEAD_DISK_QUOTA_MB");
  return {
    ...(fd === undefined ? {} : { BULKHEAD_AGENT_FD: fd }),
    BULKHEAD_AGENT_PORT: integer(variables, "BULKHEAD_AGENT_PORT") ?? 7777,
    BULKHEAD_INSTANCE_ID: text(variables, "BULKHEAD_INSTANCE_ID"),
    BULKHEAD_TEMPLATE: text(variables, "BULKHEAD_TEMPLATE"),
    ...(uid === undefined ? {} : { BULKHEAD_USER_UID: uid }),
    ...(gid === undefined ? {} : { BULKHEAD_USER_GID: gid }),
    ...(egress === undefined ? {} : { BULKHEAD_EGRESS_SOCKET: egress }),
    ...(address === undefined ? {} : { BULKHEAD_EGRESS_ADDRESS: address }),
    ...(caFile === undefined ? {} : { BULKHEAD_CA_FILE: caFile }),
    ...(isSet(variables, "BULKHEAD_AGENT_TLS", "1") ? { BULKHEAD_AGENT_TLS: "1" as const } : {}),
    ...(isSet(variables, "BULKHEAD_AGENT_CALLERS", "remote") ? { BULKHEAD_AGENT_CALLERS: "remote" as const } : {}),
    ...(quota === undefined ? {} : { BULKHEAD_DISK_QUOTA_MB: quota }),
    BULKHEAD_EGRESS_PORT: integer(variables, "BULKHEAD_EGRESS_PORT") ?? 3128,
    BULKHEAD_TOOLS: variables["BULKHEAD_TOOLS"] ?? "/opt/bulkhead",
    roots: texts(variables, "BULKHEAD_ROOTS", '["/workspace","/tmp"]'),
    features: texts(variables, "BULKHEAD_FEATURES", "[]"),
    base: Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) =>
        value === undefined || hidden.test(name) ? [] : [[name, value]],
      ),
    ),
  };
}
