import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { connect, createServer as createTcp, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, type TLSSocket, type TlsOptions } from "node:tls";
import type { BrokeredSecret, EgressRow } from "#core/model.ts";
import type { NetworkPolicy } from "#core/network/policy.ts";
import { systemClock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import type { EgressDeps, EgressIdentity } from "#egress/ports.ts";
import { type EgressListener, makeEgressProxy } from "#egress/proxy.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aNetwork } from "#test/support/fixtures.ts";

/** A proxy with one instance behind it, and servers to go to. */
export interface EgressWorld {
  readonly socketPath: string;
  readonly listener: EgressListener;
  readonly rows: EgressRow[];
  /** CA of the servers. */
  readonly serverCa: string;
  /** CA that the proxy shows. */
  readonly proxyCa: string;
  identity: EgressIdentity | undefined;
  setPolicy(policy: Partial<NetworkPolicy>): void;
  setBrokered(...secrets: readonly BrokeredSecret[]): void;
  /** Waits for so many rows that have ended. */
  ended(count: number): Promise<readonly EgressRow[]>;
  http(listener: RequestListener): Promise<number>;
  https(listener: RequestListener): Promise<number>;
  tcp(onSocket: (socket: Socket) => void): Promise<number>;
  /** A connection through CONNECT; resolves with the first line that came back. */
  tunnel(target: string): Promise<{ socket: Socket; status: string }>;
  tls(socket: Socket, options: ConnectionOptions): Promise<TLSSocket>;
  /** What a socket says until it ends or `until` matches. */
  hear(socket: Socket, until?: RegExp): Promise<string>;
  close(): Promise<void>;
}

export async function openEgressWorld(deps: Partial<EgressDeps> = {}): Promise<EgressWorld> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-egress-"));
  const cleanups: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true })];
  const clock = systemClock;
  const authority = await makeAuthority({ deployment: "test", clock });
  const servers = await makeAuthority({ deployment: "servers", clock });
  const serverCertificates = makeCertificates({ authority: servers, clock });
  const rows: EgressRow[] = [];
  const waiting: (() => void)[] = [];
  const proxy = makeEgressProxy({
    resolver: { lookupAll: () => Promise.resolve(["127.0.0.1"]) },
    floor: makePublicOnlyPolicy({ hostAddresses: () => [], allowAddresses: ["127.0.0.1"] }),
    recorder: {
      record(row) {
        rows.push(row);
        for (const wake of waiting.splice(0)) wake();
      },
    },
    certificates: makeCertificates({ authority, clock }),
    trusted: [serverCertificates.caPem],
    clock,
    logger: noopLogger,
    ...deps,
  });
  const socketPath = join(directory, "egress.sock");
  const listening = async (server: Server) => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  };
  const world: EgressWorld = {
    socketPath,
    listener: await proxy.listen(socketPath, "i1", () => world.identity),
    rows,
    serverCa: serverCertificates.caPem,
    proxyCa: authority.certificatePem,
    identity: { sandboxId: "s1", projectId: "p1", network: aNetwork(), brokered: [] },
    setPolicy(policy) {
      const before = world.identity;
      if (before === undefined) throw new Error("nobody's");
      const version = before.network.version + 1;
      world.identity = { ...before, network: { ...before.network, ...policy, version } };
      world.listener.reconsider();
    },
    setBrokered(...brokered) {
      if (world.identity !== undefined) world.identity = { ...world.identity, brokered };
    },
    async ended(count) {
      const done = () => rows.filter((row) => row.state === "closed");
      while (done().length < count) await new Promise<void>((resolve) => waiting.push(resolve));
      return done();
    },
    http: (listener) => listening(createHttp(listener)),
    https(listener) {
      const SNICallback: TlsOptions["SNICallback"] = (name, done) =>
        void serverCertificates.contextFor(name).then((context) => done(null, context), done);
      const server = createHttps({ SNICallback }, listener);
      server.on("tlsClientError", () => {});
      return listening(server);
    },
    tcp: (onSocket) => listening(createTcp((socket) => onSocket(socket.on("error", () => {})))),
    tunnel(target) {
      const socket = connect(socketPath).on("error", () => {});
      socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
      return new Promise((resolve) => {
        socket.once("data", (chunk) => {
          const [status = "", rest = ""] = chunk.toString().split("\r\n\r\n");
          socket.pause();
          if (status.includes(" 200 ") && rest !== "") socket.unshift(rest);
          resolve({ socket, status: status.includes(" 200 ") ? status : `${status} ${rest}` });
        });
        socket.once("close", () => resolve({ socket, status: "closed" }));
      });
    },
    tls: (socket, options) =>
      new Promise((resolve, reject) => {
        const secure = connectTls({ socket, ...options });
        secure.once("secureConnect", () => resolve(secure));
        secure.once("error", reject);
        socket.once("close", () => reject(new Error("closed before the handshake")));
      }),
    hear: (socket, until) =>
      new Promise((resolve) => {
        let text = "";
        socket.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          if (until?.test(text) === true) resolve(text);
        });
        socket.once("close", () => resolve(text));
        socket.once("end", () => resolve(text));
        socket.resume();
      }),
    async close() {
      await world.listener.close();
      for (const cleanup of cleanups.reverse()) await cleanup();
    },
  };
  return world;
}
