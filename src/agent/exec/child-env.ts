import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

export interface EgressDoor {
  readonly port: number;
}

/** Directories a shell of this sandbox looks programs up in when the instance says nothing. */
const defaultPath = "/usr/local/bin:/usr/bin:/bin";

function proxyVariables(door: EgressDoor): Record<string, string> {
  const address = `http://127.0.0.1:${door.port}`;
  const local = "localhost,127.0.0.1,::1";
  return {
    HTTP_PROXY: address,
    HTTPS_PROXY: address,
    http_proxy: address,
    https_proxy: address,
    NO_PROXY: local,
    no_proxy: local,
  };
}

/**
 * Makes Node.js use the proxy, by the preload or else, from 22.21 on, by itself; a preload that is missing would keep Node from starting.
 * The system's authorities by option: NODE_EXTRA_CA_CERTS makes every start of Node 20 take fifteen milliseconds longer.
 */
function nodeVariables(tools: string, proxied: boolean, trusting: boolean): Record<string, string> {
  const preload = `${tools}/lib/node-proxy.cjs`;
  const preloaded = proxied && existsSync(preload);
  const options = [...(trusting ? ["--use-openssl-ca"] : []), ...(preloaded ? [`--require ${preload}`] : [])];
  return {
    ...(options.length > 0 && { NODE_OPTIONS: options.join(" ") }),
    ...(proxied && !preloaded && { NODE_USE_ENV_PROXY: "1" }),
  };
}

/** The file of every authority that is trusted, the proxy's own among them. */
export const trustedBeside = (caFile: string): string => join(dirname(caFile), "ca-certificates.crt");

/** For programs that bring authorities of their own and do not look at the system's. OpenSSL, and Node with it, reads the first. */
function authorityVariables(caFile: string): Record<string, string> {
  const all = trustedBeside(caFile);
  return {
    SSL_CERT_FILE: all,
    REQUESTS_CA_BUNDLE: all,
    CURL_CA_BUNDLE: all,
    PIP_CERT: all,
    AWS_CA_BUNDLE: all,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: all,
    HTTPLIB2_CA_CERTS: all,
  };
}

/**
 * What every child starts from, below the sandbox's and the request's own variables.
 * @param base environment of the instance and its template
 * @param tools directory of helper programs; last on the PATH, so that `node` is there in every template
 * @param caFile certificate of the proxy's authority, where it has one
 */
export function baseEnv(
  base: Readonly<Record<string, string>>,
  tools: string,
  egress: EgressDoor | undefined,
  caFile?: string,
): Readonly<Record<string, string>> {
  return {
    HOME: "/workspace",
    LANG: "C.UTF-8",
    TZ: "UTC",
    ...(egress === undefined ? {} : proxyVariables(egress)),
    ...nodeVariables(tools, egress !== undefined, caFile !== undefined),
    ...(caFile === undefined ? {} : authorityVariables(caFile)),
    ...base,
    PATH: `${base["PATH"] ?? defaultPath}:${tools}/bin`,
  };
}
