import { type Peer, read, send } from "../http.ts";
import { type EgressPages, egressPageView } from "./rows.ts";

export function egressPages(peer: Peer): EgressPages {
  return async ({ sandbox, host, decision, since }, limit, cursor, signal) => {
    const query = new URLSearchParams({
      limit: String(limit),
      ...(sandbox !== undefined && { sandbox }),
      ...(host !== undefined && { host }),
      ...(decision !== undefined && { decision }),
      ...(since !== undefined && { since: String(Math.trunc(since)) }),
      ...(cursor !== null && { cursor }),
    });
    const path = `/v1/egress?${query.toString()}`;
    const response = await send(peer, "GET", path, signal === undefined ? {} : { signal });
    const at = Date.parse(response.headers.get("date") ?? "");
    const page = await read(peer, response, `GET ${path}`, egressPageView);
    return { ...page, at: Number.isFinite(at) ? at : Date.now() };
  };
}
