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
    // Node from 22.21 on reads the proxy variables only when asked to.
    NODE_USE_ENV_PROXY: "1",
  };
}

/**
 * What every child starts from, below the sandbox's and the request's own variables.
 * @param base environment of the instance and its template
 * @param tools directory of helper programs; last on the PATH, so that `node` is there in every template
 */
export function baseEnv(
  base: Readonly<Record<string, string>>,
  tools: string,
  egress: EgressDoor | undefined,
): Readonly<Record<string, string>> {
  return {
    HOME: "/workspace",
    LANG: "C.UTF-8",
    TZ: "UTC",
    ...(egress === undefined ? {} : proxyVariables(egress)),
    ...base,
    PATH: `${base["PATH"] ?? defaultPath}:${tools}/bin`,
  };
}
