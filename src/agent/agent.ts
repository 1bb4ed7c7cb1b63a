import type { Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Logger } from "#telemetry/logger.ts";
import { secretsAmong } from "#telemetry/secret-names.ts";
import { makeSecretValues, type SecretValues } from "#telemetry/secret-values.ts";
import { asyncRoute } from "./background/async-route.ts";
import { makeRegistry } from "./background/registry.ts";
import { backgroundRoutes } from "./background/routes.ts";
import type { AgentClock } from "./clock.ts";
import { makeCompileCache } from "./compile-cache.ts";
import { controlRoutes } from "./control-routes.ts";
import { makeDecoyLayer } from "./decoy.ts";
import { type DiskMeter, makeDiskMeter } from "./disk-meter.ts";
import { envRoutes } from "./env-routes.ts";
import type { AgentSettings } from "./environment.ts";
import { baseEnv, trustedBeside } from "./exec/child-env.ts";
import { makeLanguages } from "./exec/languages.ts";
import { makeMarks } from "./exec/marks.ts";
import { makePrograms } from "./exec/programs.ts";
import { execRoutes } from "./exec/routes.ts";
import { makeRunner } from "./exec/runner.ts";
import { fileRoutes } from "./files/routes.ts";
import { makeFreezer } from "./freeze/freezer.ts";
import { userProcesses } from "./freeze/processes.ts";
import { infoRoutes } from "./info-routes.ts";
import { makeInterpreter } from "./interpreter/interpreter.ts";
import { defaultContext, interpreterRoutes } from "./interpreter/routes.ts";
import { type EndCause, makeLifecycle } from "./lifecycle.ts";
import { makeRequestMetrics } from "./metrics/request-metrics.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import { makeRehearsal } from "./rehearsal.ts";
import { egressTarget } from "./relay.ts";
import { makeRouter, type Route } from "./router.ts";
import { makeAgentServer } from "./server.ts";
import type { SocketRoute } from "./socket.ts";
import { streamRoutes } from "./streams/routes.ts";
import { makeSystemFigures, systemRoutes } from "./system-routes.ts";
import { terminalRoutes } from "./terminal/routes.ts";
import { makeActiveTimers } from "./timers.ts";
import { selfSigned } from "./tls/self-signed.ts";
import { unsupportedRoutes } from "./unsupported-routes.ts";
import { watchRoutes } from "./watch/routes.ts";
import { makeOpenSockets } from "./ws/open-sockets.ts";
import { upgradeOnlyRoutes } from "./ws/upgrade-only-routes.ts";

/** Environments whose secrets are known, the latest ones. */
const keptEnvs = 10;

export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly logger: Logger;
  readonly clock: AgentClock;
  /** Ends the process and with it the instance. */
  readonly end: (cause: EndCause) => void;
  /** Of what it shows the egress proxy; told to the control plane. @default - it shows nothing */
  readonly egressKeyHash?: string | undefined;
  /** Is told the values of the sandbox's secrets; the logger hides them too. @default - one of its own */
  readonly secretValues?: SecretValues | undefined;
}

/** The whole agent behind one HTTP server, which does not listen yet. */
export function makeAgent({ settings, logger, clock, end, egressKeyHash, ...more }: AgentOptions): Server | TlsServer {
  const startedAt = clock.now();
  const { BULKHEAD_USER_UID: uid, BULKHEAD_USER_GID: gid, BULKHEAD_TOOLS: tools, roots } = settings;
  const user = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
  const egress = egressTarget(settings) === undefined ? undefined : { port: settings.BULKHEAD_EGRESS_PORT };
  const { BULKHEAD_CA_FILE: caFile } = settings;
  const environment = baseEnv(settings.base, tools, egress, caFile);
  const trusted = caFile === undefined ? undefined : trustedBeside(caFile);
  const programs = makePrograms(environment["PATH"] ?? "", tools);
  const secretValues = more.secretValues ?? makeSecretValues();
  const hide = (text: string) => secretValues.hide(text);
  const lifecycle = makeLifecycle(clock, end, rememberSecrets(secretValues));
  const timers = makeActiveTimers(clock);
  const marks = makeMarks();
  const run = makeRunner({ ...user, marks, timers });
  const disk = roots[0] ?? "/workspace";
  const rich = settings.features.includes("rich-output");
  const { runPython, kernels } = makeInterpreter({
    ...{ run, programs, lifecycle, marks, timers, clock, logger, tools, cwd: disk, environment, rich, ...user },
  });
  const cache = makeCompileCache();
  const languages = makeLanguages({ run, programs, cache, runPython, ...user });
  const openSockets = makeOpenSockets();
  const processes = userProcesses(uid);
  const freezer = makeFreezer({ processes, timers, clock });
  const registry = makeRegistry({ clock, logger, hide });
  const running = { run, languages, programs, lifecycle, clock, logger, baseEnv: environment };
  const rehearsal = makeRehearsal({ lifecycle, run, clock, cwd: roots[0] ?? "/", env: environment });
  const meter = diskMeter(settings, clock, logger, end);
  const figures = makeSystemFigures({ lifecycle, clock, startedAt, ...user, disk, ...(meter && { meter }) });
  const requests = makeRequestMetrics();
  const sockets: SocketRoute[] = [
    ...streamRoutes({ ...running, runCell: ({ context, ...cell }) => kernels.run(context ?? defaultContext, cell) }),
    ...terminalRoutes({ ...user, tools, marks, lifecycle, clock, logger, baseEnv: environment, home: roots[0] ?? "/" }),
    ...watchRoutes({ roots: [...roots], clock }),
  ];
  const router = makeRouter([
    ...controlRoutes(lifecycle, freezer, rehearsal, egressKeyHash, makeDecoyLayer({ ...user, secretValues, logger })),
    ...infoRoutes({ settings, lifecycle, programs, clock, startedAt, sockets: openSockets }),
    ...systemRoutes(figures),
    ...metricsRoutes({
      ...{ requests, lifecycle, figures, cache, background: registry, sockets: openSockets, clock, startedAt },
    }),
    ...envRoutes(lifecycle, clock),
    ...execRoutes(running),
    ...backgroundRoutes({ ...running, registry, processes }),
    ...interpreterRoutes({ kernels, lifecycle, clock }),
    asyncRoute({ ...running, registry, timers, ...(egress && { egressPort: egress.port }), trusted }),
    ...withRoom(meter, fileRoutes({ roots: [...roots], ...user, logger })),
    ...upgradeOnlyRoutes(sockets),
    ...unsupportedRoutes(),
  ]);
  const tls = settings.BULKHEAD_AGENT_TLS === "1" ? { tls: selfSigned(settings.BULKHEAD_INSTANCE_ID, startedAt) } : {};
  const onActivity = () => lifecycle.touch();
  return makeAgentServer({ router, requests, sockets, openSockets, logger, clock, onActivity, hide, ...tls });
}

/** What variables held before may still be at work, so it stays known for some changes more. */
function rememberSecrets(values: SecretValues) {
  let changes = 0;
  return (env: Readonly<Record<string, string>>, secretNames: readonly string[]): void => {
    changes += 1;
    values.remember({ id: `env ${changes}`, projectId: "" }, secretsAmong(env, secretNames));
    values.forget(`env ${changes - keptEnvs}`);
  };
}

function diskMeter(
  settings: AgentSettings,
  clock: AgentClock,
  logger: Logger,
  end: AgentOptions["end"],
): DiskMeter | undefined {
  const { BULKHEAD_DISK_QUOTA_MB: limitMb, roots } = settings;
  if (limitMb === undefined) return undefined;
  return makeDiskMeter({ root: roots[0] ?? "/workspace", limitMb, clock, logger, onOverrun: () => end("disk_full") });
}

/** Nothing is written past the limit through routes that write. A body of unknown length is let in while there is any room. */
function withRoom(meter: DiskMeter | undefined, routes: readonly Route[]): readonly Route[] {
  if (meter === undefined) return routes;
  const guarded = (route: Route): Route => ({
    ...route,
    handle: (request) =>
      meter.withRoom(Number(request.req.headers["content-length"] ?? 0), () => route.handle(request)),
  });
  return routes.map((route) => (route.method === "POST" ? guarded(route) : route));
}
