import type { Dispatcher } from "undici";
import buildConnector from "undici/lib/core/connect.js";
import Agent from "undici/lib/dispatcher/agent.js";
import { proxyFor } from "./proxy.ts";
import { openTunnel } from "./tunnel.ts";

/** What `fetch` sends its requests with: every connection goes the way that the proxy variables say. */
export function makeFetchDispatcher(): Dispatcher {
  const direct = buildConnector({});
  return new Agent({
    connect(options, connected) {
      const protocol = options.protocol === "https:" ? "https:" : "http:";
      const port = Number(options.port === "" ? (protocol === "https:" ? 443 : 80) : options.port);
      const host = options.hostname.replace(/^\[(.*)\]$/, "$1");
      const proxy = proxyFor({ protocol, host, port });
      if (proxy === undefined) {
        direct(options, connected);
        return;
      }
      openTunnel(proxy, { host, port }, (error, socket) => {
        if (socket === undefined) connected(error ?? new Error("no way through the proxy"), null);
        else if (protocol === "https:") direct({ ...options, httpSocket: socket }, connected);
        else connected(null, socket.setNoDelay(true));
      });
    },
  });
}
