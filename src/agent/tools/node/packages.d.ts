// Of undici, parts that are loaded without the rest, which takes twice as long.
declare module "undici/lib/dispatcher/agent.js" {
  import { Agent } from "undici";
  export default Agent;
}
declare module "undici/lib/core/connect.js" {
  import { buildConnector } from "undici";
  export default buildConnector;
}
declare module "proxy-from-env" {
  /** Empty without a proxy. */
  export function getProxyForUrl(url: string): string;
}
