import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { type Account, region } from "./account.ts";

/** Handlers as AWS loads them: each reads its environment when it is imported. */
export interface Functions {
  readonly apiRead: (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult>;
  readonly apiLifecycle: (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult>;
  readonly authorizer: typeof import("../../../lambdas/authorizer/handler.ts").handler;
  readonly bootstrap: typeof import("../../../lambdas/bootstrap/handler.ts").handler;
  readonly chainer: typeof import("../../../lambdas/chainer/handler.ts").handler;
  readonly pool: typeof import("../../../lambdas/pool/handler.ts").handler;
  readonly sweeper: typeof import("../../../lambdas/sweeper/handler.ts").handler;
  readonly taskEvents: typeof import("../../../lambdas/task-events/handler.ts").handler;
  stop(): Promise<void>;
}

export const settings = {
  idleTimeoutSeconds: 3600,
  maxLifetimeSeconds: 86_400,
  createWaitMs: 20_000,
  quotaPerProject: 5,
  pool: { base: 1 },
  tombstoneSeconds: 86_400,
  launchesPerSecond: 15,
  launchBurst: 80,
  organizationId: 1,
  defaultProject: "default",
};

/** The variables that the constructs give to the functions, all in one: names do not clash. */
function environment(account: Account, endpoint: string, mount: string): Record<string, string> {
  const { launch } = account;
  return {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_ENDPOINT_URL: endpoint,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    BULKHEAD_DEPLOYMENT: launch.deployment,
    BULKHEAD_LOG_LEVEL: process.env["AWS_TEST_LOG"] ?? "error",
    BULKHEAD_TABLE: account.table,
    BULKHEAD_SETTINGS: JSON.stringify(settings),
    BULKHEAD_GATEWAY_URL: "https://d111.cloudfront.net",
    BULKHEAD_BRIDGE: "bridge",
    BULKHEAD_JANITOR: "janitor",
    BULKHEAD_DATA_KEY: account.dataKey,
    BULKHEAD_SIGNING_KEY: account.signingKey,
    BULKHEAD_AUDIT_KEY: account.auditKey,
    BULKHEAD_SECRET_PREFIX: account.secretPrefix,
    BULKHEAD_FIRST_KEY_SECRET: account.firstKeySecret,
    BULKHEAD_TEARDOWN: JSON.stringify(launch),
    BULKHEAD_AGENT_PORT: String(launch.agentPort),
    BULKHEAD_LAUNCH: JSON.stringify(launch),
    BULKHEAD_SANDBOX_CIDR: "127.0.0.0/8",
    BULKHEAD_MOUNT: mount,
  };
}

/** Before anything of AWS is used: the SDK and the handlers look here. */
export function pointAt(endpoint: string): void {
  Object.assign(process.env, {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_ENDPOINT_URL: endpoint,
  });
}

export async function loadFunctions(
  account: Account,
  endpoint: string,
  mount: string,
  invoked: (name: string) => void,
): Promise<Functions> {
  Object.assign(process.env, environment(account, endpoint, mount));
  const lambda = await serveInvoke(invoked);
  process.env["AWS_ENDPOINT_URL_LAMBDA"] = lambda.url;
  return {
    apiRead: (await import("../../../lambdas/api-read/handler.ts")).handler,
    apiLifecycle: (await import("../../../lambdas/api-lifecycle/handler.ts")).handler,
    authorizer: (await import("../../../lambdas/authorizer/handler.ts")).handler,
    bootstrap: (await import("../../../lambdas/bootstrap/handler.ts")).handler,
    chainer: (await import("../../../lambdas/chainer/handler.ts")).handler,
    pool: (await import("../../../lambdas/pool/handler.ts")).handler,
    sweeper: (await import("../../../lambdas/sweeper/handler.ts")).handler,
    taskEvents: (await import("../../../lambdas/task-events/handler.ts")).handler,
    stop: lambda.stop,
  };
}

/** Lambda's Invoke for the two functions that others call: moto would need Docker for it. */
async function serveInvoke(invoked: (name: string) => void): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const context = { getRemainingTimeInMillis: () => 60_000 };
  const handlers: Record<string, (payload: unknown) => Promise<unknown>> = {
    bridge: async (payload) => (await import("../../../lambdas/bridge/handler.ts")).handler(payload),
    janitor: async (payload) =>
      (await import("../../../lambdas/janitor/handler.ts")).handler(payload, context as never),
  };
  const server = createServer((req, res) => {
    const name = /^\/2015-03-31\/functions\/(\w+)\/invocations$/.exec(req.url ?? "")?.[1] ?? "";
    invoked(name);
    void bodyOf(req)
      .then(async (text) => handlers[name]?.(JSON.parse(text)))
      .then(
        (answer) => res.end(JSON.stringify(answer)),
        (error: unknown) => {
          res.setHeader("X-Amz-Function-Error", "Unhandled");
          res.end(JSON.stringify({ errorType: "Error", errorMessage: String(error) }));
        },
      );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of req) text += String(chunk);
  return text;
}
