import type { ControlPlane, KeyCreated, NewKey } from "#cli/control-plane.ts";
import { CliError, exitCodes } from "#cli/failure.ts";
import type { Interrupts } from "#cli/interrupts.ts";
import { type CliDeps, makeProgram } from "#cli/program.ts";
import type { CreatedView, SandboxView } from "#cli/sandbox-view.ts";
import { type NetworkAnswer, putNetworkSchema } from "#contracts/control/network.ts";
import type { CreateSandboxRequest } from "#contracts/control/sandboxes.ts";

export const now = Date.parse("2026-11-22T12:00:00Z");

export function sandbox(id: string, more: Partial<SandboxView> = {}): SandboxView {
  return {
    id,
    sandbox_id: id,
    object: "sandbox",
    status: "running",
    organization_id: 1,
    template_id: "tpl_base",
    template_name: "base",
    region: "local",
    public_host: `http://127.0.0.1:8081/s/${id}`,
    direct_url: "",
    preview_url: "",
    resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
    internet_access: true,
    live_mode: false,
    timeout_seconds: 3600,
    created_at: "2026-11-22T11:50:00.000Z",
    expires_at: "2026-11-22T13:00:00.000Z",
    end_at: "2026-11-22T13:00:00.000Z",
    idle_timeout_seconds: 3600,
    max_lifetime_seconds: 86_400,
    last_activity_at: "2026-11-22T11:50:00.000Z",
    end_reason: null,
    enforced: null,
    ...more,
  };
}

export function created(id: string, more: Partial<SandboxView> = {}): CreatedView {
  return { ...sandbox(id, more), auth_token: "the-token", token_expires_at: "2026-11-23T12:00:00.000Z" };
}

export const never: Interrupts = { during: (work) => work(new AbortController().signal) };

export interface SetUpOptions {
  readonly sandboxes?: readonly SandboxView[];
  readonly controlPlane?: Partial<ControlPlane>;
  readonly deps?: Partial<CliDeps>;
  readonly variables?: Readonly<Record<string, string>>;
}

const aTime = "2026-11-22T11:50:00.000Z";

function aPolicyAnswer(id: string, policy: Partial<NetworkAnswer> & Pick<NetworkAnswer, "mode">): NetworkAnswer {
  return {
    ...{ object: "network_policy", sandbox_id: id, version: 2, source: "replaced", updated_at: aTime },
    ...{ rules: [], env_secrets: true, aws: [], request_id: "req_aaaaaaaaaaaaaaaaaaaa" },
    ...policy,
  };
}

/** The program with a control plane in memory; `run` answers with what was printed and the exit code. */
export function setUp({ sandboxes = [], controlPlane: other = {}, deps = {}, variables = {} }: SetUpOptions = {}) {
  const printed = { out: "", err: "" };
  const killed: string[] = [];
  const changed: string[] = [];
  const newKeys: NewKey[] = [];
  const creates: CreateSandboxRequest[] = [];
  const platformRuns: { command: string; args: readonly string[]; environment: object }[] = [];
  let exitCode = 0;
  const find = (id: string): SandboxView => {
    const found = sandboxes.find((one) => one.id === id);
    if (found === undefined) throw new CliError(`Sandbox ${id} not found`, exitCodes.notFound);
    return found;
  };
  const controlPlane: ControlPlane = {
    sandboxes: async (status) =>
      sandboxes.filter((found) => (status === undefined ? found.status !== "deleted" : found.status === status)),
    sandbox: async (id) => find(id),
    create: async (request) => {
      creates.push(request);
      return created("s9");
    },
    change: async (id, to) => {
      find(id);
      changed.push(`${to} ${id}`);
      return { id, status: to === "pause" ? "paused" : to === "stop" ? "stopped" : "running" };
    },
    setTimeout: async (id, seconds) => ({
      id,
      timeout_seconds: seconds,
      expires_at: new Date(now + seconds * 1000).toISOString(),
      request_id: "req_aaaaaaaaaaaaaaaaaaaa",
    }),
    token: async () => ({ auth_token: "the-token", token_expires_at: "2026-11-23T12:00:00.000Z" }),
    kill: async (id) => {
      find(id);
      killed.push(id);
    },
    egress: async () => ({ data: [], next_cursor: null, at: now }),
    audit: {
      page: async () => ({ object: "list", data: [], has_more: false, next_cursor: null, request_id: "req_1" }),
      async *records() {
        yield* [];
      },
      checkpoints: async () => [],
      checkpoint: async () => null,
      key: async () => ({ pem: "", projectId: "p1" }),
    },
    alerts: {
      page: async () => ({ object: "list", data: [], has_more: false, next_cursor: null, request_id: "req_1" }),
      acknowledge: async (id) => {
        throw new CliError(`Alert ${id} not found`, exitCodes.notFound);
      },
    },
    quarantine: {
      hold: async (id, reason) => ({
        ...{ id, status: "paused", frozen: true, request_id: "req_aaaaaaaaaaaaaaaaaaaa" },
        quarantine: { at: aTime, by: "k1", reason, until: "2026-11-29T11:50:00.000Z" },
      }),
      release: async (id) => ({
        ...{ id, status: "running", frozen: false, quarantine: null, request_id: "req_aaaaaaaaaaaaaaaaaaaa" },
      }),
    },
    evidence: async () => {
      throw new CliError("no evidence", exitCodes.notFound);
    },
    network: async (id) => aPolicyAnswer(id, { mode: "allow-all-but" }),
    setNetwork: async (id, policy) => aPolicyAnswer(id, { mode: putNetworkSchema.parse(policy).mode }),
    secrets: async () => [],
    putSecret: async (name) => ({ object: "secret", name, version: 1, created_at: aTime, updated_at: aTime }),
    removeSecret: async () => {},
    templates: async () => [],
    keys: async () => [],
    createKey: async (request) => {
      newKeys.push(request);
      return aCreatedKey(request.name);
    },
    rotateKey: async () => aCreatedKey("rotated"),
    revokeKey: async () => {},
    ...other,
  };
  const program = makeProgram({
    version: "1.2.3",
    output: {
      out: (text) => {
        printed.out += `${text}
`;
      },
      err: (text) => {
        printed.err += `${text}
`;
      },
      raw: (stream, text) => {
        printed[stream === "stdout" ? "out" : "err"] += text;
        return undefined;
      },
      terminal: { stdout: false, stderr: false },
      width: () => 80,
    },
    terminal: { present: false, size: () => ({ cols: 80, rows: 24 }), onResize: () => () => {}, raw: () => () => {} },
    interrupts: never,
    now: () => now,
    sleep: async () => {},
    readInput: async () => "",
    readSecret: async () => "",
    variable: (name) => variables[name],
    connect: () => controlPlane,
    runPlatform: async (command, args, environment) => {
      platformRuns.push({ command, args, environment });
      return 7;
    },
    setExitCode: (code) => {
      exitCode = code;
    },
    ...deps,
  });
  const run = async (...args: readonly string[]) => {
    await program.parseAsync(["node", "bulkhead", ...args]);
    return { ...printed, exitCode };
  };
  return { run, program, killed, changed, newKeys, creates, platformRuns };
}

function aCreatedKey(name: string): KeyCreated {
  return {
    success: true,
    message: "",
    request_id: "req_aaaaaaaaaaaaaaaaaaaa",
    full_key: "hopx_live_k1.secret",
    api_key: {
      id: "k1",
      key_id: "k1",
      name,
      prefix: "hopx_live_k1",
      masked_key: "hopx_live_k1.…",
      status: "active",
      environment: null,
      scopes: ["admin"],
      created_at: "2026-11-22T11:50:00.000Z",
      expires_at: null,
      last_used_at: null,
      rotate_at: null,
      replaced_by: null,
    },
  };
}
