import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { escapeXml, makeEc2, Parameters } from "./ec2.ts";
import { makeEcs, remaining } from "./ecs.ts";
import { describeTask } from "./ecs-task.ts";
import { efsOperation, makeEfs } from "./efs.ts";
import { AwsFailure, type FakeState, holdsInterface, makeState, pace, statusOf, type Tag, type Task } from "./state.ts";

/** A fault that calls of one operation meet. */
export interface Fault {
  /** AWS's code, e.g. "ThrottlingException"; "cut": the connection is cut instead of an answer. */
  readonly code: string;
  /** @default 400 */
  readonly status?: number;
  readonly message?: string;
  /** How many calls meet it. @default all */
  readonly times?: number;
  /** The call does its work and only its answer is lost. @default false */
  readonly after?: boolean;
  /** The call does its work, but only once this has resolved. */
  readonly hold?: Promise<unknown>;
  /** A whole answer instead of an error: a 200 that says no. */
  readonly answer?: Readonly<Record<string, unknown>>;
}

export interface AwsCall {
  readonly operation: string;
  /** Parsed JSON, or the form as text. */
  readonly body: unknown;
}

/**
 * ECS, EC2 and EFS on the wire, for the calls that the Compute adapter makes: it models what moto is known to get wrong (client tokens,
 * DependencyViolation, addresses inside the subnet, states before RUNNING, eventual consistency; aws-facts §11 and §13), and refuses every
 * request and field it does not know.
 */
export interface AwsFake {
  readonly endpoint: string;
  readonly state: FakeState;
  /** Every call since the start or the last reset, in order, whatever came of it. */
  readonly calls: AwsCall[];
  fail(operation: string, fault: Fault): void;
  heal(): void;
  /** What exists of instances: descriptions, to be compared with []. */
  left(): string[];
  /** The task of an instance. @throws Error without exactly one that has not stopped */
  taskOf(instanceId: string): Task;
  /** The task ends by itself. */
  end(task: Task, how: { readonly code: string; readonly reason?: string; readonly exitCode?: number }): void;
  /** Detail of the EventBridge event of a task as it is now. */
  eventOf(task: Task): Record<string, unknown>;
  /** Adds a security group that does not belong to an instance. @returns its id */
  addGroup(name: string, tags?: readonly Tag[]): string;
  stop(): Promise<void>;
}

export async function startAwsFake(): Promise<AwsFake> {
  const state = makeState();
  const calls: AwsCall[] = [];
  const faults = new Map<string, { fault: Fault; left: number }>();
  const serve = makeServe(state, calls, faults);
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    state,
    calls,
    fail: (operation, fault) => void faults.set(operation, { fault, left: fault.times ?? Number.POSITIVE_INFINITY }),
    heal: () => faults.clear(),
    left: () => leftIn(state),
    taskOf(instanceId) {
      const [task, ...more] = state.tasks.filter((one) => one.startedBy === instanceId && one.stop === null);
      if (task === undefined || more.length > 0) throw new Error(`${instanceId} has not one task`);
      return task;
    },
    end(task, { code, reason = "", exitCode = null }) {
      task.stop ??= { at: state.now(), code, reason, exitCode };
    },
    eventOf: (task) => describeTask(state, task, false),
    addGroup(name, tags = []) {
      const id = `sg-${name}`;
      state.securityGroups.set(id, {
        id,
        name,
        vpcId: state.vpcId,
        tags,
        rules: [],
        createdAt: state.now() - pace.groupKnown,
      });
      return id;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function leftIn(state: FakeState): string[] {
  const owned = (tags: readonly Tag[]) => tags.some((tag) => tag.key === "bulkhead:instance");
  return [
    ...state.tasks.filter((task) => statusOf(state, task) !== "STOPPED").map((task) => `task ${task.arn}`),
    ...state.tasks.filter((task) => holdsInterface(state, task)).map((task) => `interface ${task.ip}`),
    ...remaining(state).map((one) => `task definition ${one.arn} ${one.status}`),
    ...[...state.securityGroups.values()].filter((one) => owned(one.tags)).map((one) => `security group ${one.name}`),
    ...[...state.accessPoints.values()].map((one) => `access point ${one.clientToken}`),
  ];
}

type Wire = "ecs" | "ec2" | "efs";
interface Asked extends AwsCall {
  readonly wire: Wire;
  run(): Record<string, unknown> | string | null;
}

function makeServe(state: FakeState, calls: AwsCall[], faults: Map<string, { fault: Fault; left: number }>) {
  const ecs = makeEcs(state);
  const ec2 = makeEc2(state);
  const efs = makeEfs(state);

  function understand(request: IncomingMessage, text: string): Asked {
    const url = new URL(request.url ?? "/", "http://fake");
    const target = request.headers["x-amz-target"];
    const unknown = (name: string) => () => {
      throw new AwsFailure("UnknownOperationException", `The fake does not know ${name}`);
    };
    if (typeof target === "string") {
      const operation = target.split(".")[1] ?? target;
      const body: unknown = JSON.parse(text);
      return { wire: "ecs", operation, body, run: () => (ecs[operation] ?? unknown(target))(body) };
    }
    if (url.pathname.startsWith("/2015-02-01/")) {
      const body: unknown = text === "" ? null : JSON.parse(text);
      const path = url.pathname.slice("/2015-02-01".length);
      const asked = { method: request.method ?? "", path, query: url.searchParams, body };
      return { wire: "efs", operation: efsOperation(asked), body: body ?? url.search + path, run: () => efs(asked) };
    }
    const form = new URLSearchParams(text);
    const operation = form.get("Action") ?? "";
    return {
      wire: "ec2",
      operation,
      body: text,
      run: () => (ec2[operation] ?? unknown(operation))(new Parameters(form)),
    };
  }

  function faultOf(operation: string): Fault | null {
    const found = faults.get(operation);
    if (found === undefined || found.left <= 0) return null;
    found.left -= 1;
    return found.fault;
  }

  function answer(asked: Asked, fault: Fault | null): Record<string, unknown> | string | null {
    if (fault?.answer !== undefined) return { ...fault.answer };
    if (fault?.hold !== undefined) return asked.run();
    if (fault !== null && fault.after !== true) throw failureOf(fault);
    const done = asked.run();
    if (fault !== null) throw failureOf(fault);
    return done;
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = understand(request, Buffer.concat(chunks).toString());
    const { wire, operation, body } = asked;
    calls.push({ operation, body });
    if (request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ") !== true) {
      reply(response, wire, operation, new AwsFailure("MissingAuthenticationToken", "Not signed.", 403));
      return;
    }
    const fault = faultOf(operation);
    await fault?.hold;
    try {
      reply(response, wire, operation, answer(asked, fault));
    } catch (thrown) {
      if (fault?.code === "cut") return void response.destroy();
      if (!(thrown instanceof AwsFailure)) throw thrown;
      reply(response, wire, operation, thrown);
    }
  };
}

function failureOf({ code, message = "made by a test", status = 400 }: Fault): AwsFailure {
  return new AwsFailure(code, message, status);
}

function reply(
  response: ServerResponse,
  wire: Wire,
  operation: string,
  answer: Record<string, unknown> | string | null | AwsFailure,
): void {
  const failure = answer instanceof AwsFailure ? answer : null;
  const status = failure?.status ?? (answer === null ? 204 : 200);
  if (wire === "ec2") {
    response.writeHead(status, { "content-type": "text/xml" });
    response.end(failure === null ? success(operation, typeof answer === "string" ? answer : "") : ec2Failure(failure));
    return;
  }
  const code = failure?.code ?? "";
  response.writeHead(status, {
    "content-type": wire === "ecs" ? "application/x-amz-json-1.1" : "application/json",
    ...(failure !== null && { "x-amzn-errortype": code }),
  });
  const said = failure?.message ?? "";
  const body =
    failure === null ? answer : { __type: code, message: said, ErrorCode: code, Message: said, ...failure.fields };
  response.end(body === null ? undefined : JSON.stringify(body));
}

function success(operation: string, elements: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>fake</requestId>${elements}</${operation}Response>`;
}

function ec2Failure({ code, message }: AwsFailure): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error></Errors><RequestID>fake</RequestID></Response>`;
}
