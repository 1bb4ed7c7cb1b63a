/** What the wire fake holds: the documented behaviour that moto has not (aws-facts §11, §13). Time moves only by `advance`. */

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface Rule {
  readonly direction: "in" | "out";
  readonly protocol: string;
  readonly from: number | null;
  readonly to: number | null;
  /** CIDR, security group or prefix list. */
  readonly peer: string;
}

export interface SecurityGroup {
  readonly id: string;
  readonly name: string;
  readonly vpcId: string;
  readonly tags: readonly Tag[];
  readonly createdAt: number;
  rules: Rule[];
}

export interface AccessPoint {
  readonly id: string;
  readonly clientToken: string;
  readonly fileSystemId: string;
  readonly tags: readonly Tag[];
  readonly posixUser: { readonly Uid: number; readonly Gid: number };
  readonly rootDirectory: unknown;
  readonly createdAt: number;
}

export interface TaskDefinition {
  readonly arn: string;
  readonly family: string;
  readonly revision: number;
  readonly tags: readonly Tag[];
  /** The request as it came. */
  readonly input: Readonly<Record<string, unknown>>;
  status: "ACTIVE" | "INACTIVE" | "DELETE_IN_PROGRESS";
}

export interface Task {
  readonly arn: string;
  readonly startedBy: string | undefined;
  readonly group: string | undefined;
  readonly taskDefinitionArn: string;
  readonly securityGroups: readonly string[];
  readonly subnetId: string;
  readonly ip: string;
  readonly tags: readonly Tag[];
  readonly createdAt: number;
  stop: {
    readonly at: number;
    readonly code: string;
    readonly reason: string;
    readonly exitCode: number | null;
  } | null;
}

/** Milliseconds of virtual time. */
export const pace = {
  /** A task is not listed or described before: both are eventually consistent. */
  visible: 2_000,
  /** Its network interface has an address. */
  addressed: 8_000,
  pending: 10_000,
  running: 30_000,
  /** From the request to stop to STOPPED, by way of STOPPING and DEPROVISIONING. */
  stopping: 3_000,
  deprovisioning: 6_000,
  stopped: 10_000,
  /** From STOPPED until the network interface lets go of its security groups. */
  released: 5_000,
  accessPointReady: 1_000,
  /** A new security group is not known everywhere before. */
  groupKnown: 400,
  /** Stopped tasks are shown for an hour. */
  shown: 3_600_000,
} as const;

export interface FakeLimits {
  accessPoints: number;
  securityGroups: number;
  /** Items per page, so that paging is exercised. */
  pageSize: number;
}

export interface FakeState {
  readonly region: string;
  readonly cluster: string;
  readonly vpcId: string;
  readonly fileSystemId: string;
  readonly subnetIds: readonly string[];
  readonly limits: FakeLimits;
  readonly tasks: Task[];
  readonly taskDefinitions: TaskDefinition[];
  readonly securityGroups: Map<string, SecurityGroup>;
  readonly accessPoints: Map<string, AccessPoint>;
  /** What RunTask answered to a client token, and to which request. */
  readonly runTokens: Map<string, { readonly request: string; readonly arns: readonly string[] }>;
  now(): number;
  advance(ms: number): void;
  /** Different each time. */
  nextNumber(): number;
}

export function makeState(): FakeState {
  let now = 0;
  let count = 0;
  return {
    region: "eu-west-1",
    cluster: "instances",
    vpcId: "vpc-sandbox",
    fileSystemId: "fs-sandbox",
    subnetIds: ["subnet-a", "subnet-b"],
    limits: { accessPoints: 1_000, securityGroups: 2_500, pageSize: 2 },
    tasks: [],
    taskDefinitions: [],
    securityGroups: new Map(),
    accessPoints: new Map(),
    runTokens: new Map(),
    now: () => now,
    advance(ms) {
      now += ms;
    },
    nextNumber: () => ++count,
  };
}

export type TaskStatus = "PROVISIONING" | "PENDING" | "RUNNING" | "STOPPING" | "DEPROVISIONING" | "STOPPED";

export function statusOf(state: FakeState, task: Task): TaskStatus {
  const now = state.now();
  if (task.stop !== null) {
    const since = now - task.stop.at;
    if (since >= pace.stopped) return "STOPPED";
    return since >= pace.deprovisioning ? "DEPROVISIONING" : "STOPPING";
  }
  const since = now - task.createdAt;
  if (since >= pace.running) return "RUNNING";
  return since >= pace.pending ? "PENDING" : "PROVISIONING";
}

/** The task's network interface still exists and holds its security groups. */
export function holdsInterface(state: FakeState, task: Task): boolean {
  return task.stop === null || state.now() < task.stop.at + pace.stopped + pace.released;
}

export function addressOf(state: FakeState, task: Task): string | null {
  return state.now() - task.createdAt >= pace.addressed ? task.ip : null;
}

export function isShown(state: FakeState, task: Task): boolean {
  const stopped = task.stop === null ? null : task.stop.at + pace.stopped;
  if (stopped !== null && state.now() > stopped + pace.shown) return false;
  return state.now() - task.createdAt >= pace.visible;
}

/** One page of `items` and the token of the next. */
export function page<T>(
  items: readonly T[],
  size: number,
  token: string | undefined,
): { items: T[]; next: string | undefined } {
  const from = token === undefined ? 0 : Number(token);
  const next = from + size < items.length ? String(from + size) : undefined;
  return { items: items.slice(from, from + size), next };
}

/** An error as AWS names it. */
export class AwsFailure extends Error {
  readonly code: string;
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, status = 400, fields: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.fields = fields;
  }
}
