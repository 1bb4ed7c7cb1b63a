import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import { BulkheadError } from "#contracts/errors.ts";
import type { Endpoint } from "#core/model.ts";

/** An open connection to an agent, of which nothing has been sent yet. */
export interface Connection {
  readonly socket: Socket;
  /** SHA-256 of the certificate that the other end showed, lower-case hex; undefined without TLS. */
  readonly fingerprint: string | undefined;
}

export function unreachable(why: string, cause?: unknown): BulkheadError {
  return new BulkheadError(
    "AGENT_UNREACHABLE",
    "The sandbox did not answer. Try again; if it persists, create another one.",
    { details: { why }, cause },
  );
}

/**
 * Connects, and checks who answers before a byte of a request is sent: an agent's certificate is signed by nobody, its fingerprint is
 * its identity. Without a fingerprint in the endpoint any certificate is accepted and reported.
 * @throws BulkheadError AGENT_UNREACHABLE when there is no connection, another certificate, or `signal` fires
 */
export function connect(endpoint: Endpoint, secure: boolean, signal: AbortSignal): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = open(endpoint, secure);
    const fail = (why: string, cause?: unknown): void => {
      signal.removeEventListener("abort", expire);
      reject(unreachable(why, cause));
      socket.destroy();
    };
    const expire = (): void => fail("not connected in time");
    signal.addEventListener("abort", expire);
    // Stays for the life of the socket: an error between connect and request must not end the process.
    socket.on("error", (error) => fail("no connection", error));
    socket.once("close", () => fail("connection closed"));
    socket.once(secure ? "secureConnect" : "connect", () => {
      const fingerprint = fingerprintOf(socket);
      const wrong = secure ? objection(endpoint, fingerprint) : null;
      if (wrong === null) {
        signal.removeEventListener("abort", expire);
        resolve({ socket, fingerprint });
      } else {
        fail(wrong);
      }
    });
  });
}

function open(endpoint: Endpoint, secure: boolean): Socket {
  if (endpoint.kind === "unix") return connectPlain({ path: endpoint.path });
  const { host, port } = endpoint;
  if (!secure) return connectPlain({ host, port });
  // Nobody signs an agent's certificate: the fingerprint takes the place of the chain.
  return connectTls({ host, port, rejectUnauthorized: false, minVersion: "TLSv1.3" });
}

function objection(endpoint: Endpoint, seen: string | undefined): string | null {
  if (seen === undefined) return "no certificate";
  const expected = endpoint.kind === "tcp" ? endpoint.fingerprint : undefined;
  return expected === undefined || normalized(expected) === seen ? null : "another certificate than before";
}

function fingerprintOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  // An empty object when there is none, whatever the types say.
  const certificate: { readonly fingerprint256?: string } = socket.getPeerCertificate();
  return certificate.fingerprint256 === undefined ? undefined : normalized(certificate.fingerprint256);
}

function normalized(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").toLowerCase();
}
