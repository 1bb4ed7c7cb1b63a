import { isIP } from "node:net";
import { getProxyForUrl } from "proxy-from-env";

/** Where something is to be reached. */
export interface Goal {
  readonly protocol: "http:" | "https:";
  readonly host: string;
  readonly port: number;
}

/** Where the proxy listens. */
export interface Door {
  readonly host: string;
  readonly port: number;
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/i;

/** `host:port`, an IPv6 address in brackets. */
export const authorityOf = ({ host, port }: Pick<Goal, "host" | "port">): string =>
  `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;

/** The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY say; undefined for what is reached without one, the sandbox itself always. */
export function proxyFor(goal: Goal): Door | undefined {
  if (loopback.test(goal.host)) return undefined;
  const address = getProxyForUrl(`${goal.protocol}//${authorityOf(goal)}`);
  if (address === "") return undefined;
  const { hostname, port } = new URL(address);
  return { host: hostname, port: port === "" ? 80 : Number(port) };
}
