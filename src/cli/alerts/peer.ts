import type * as z from "zod";
import { type AlertView, alertAnswerSchema, alertListSchema } from "#contracts/control/alerts.ts";
import { call, type Peer } from "../http.ts";

export type AlertPage = z.infer<typeof alertListSchema>;

/** Alerts as the platform serves them. */
export interface AlertsPeer {
  page(query: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<AlertPage>;
  acknowledge(id: string): Promise<AlertView>;
}

export function alertsPeer(peer: Peer): AlertsPeer {
  return {
    page: (query, signal) =>
      call(peer, "GET", `/v1/alerts?${new URLSearchParams(query).toString()}`, alertListSchema, {
        ...(signal !== undefined && { signal }),
      }),
    acknowledge: (id) => call(peer, "POST", `/v1/alerts/${encodeURIComponent(id)}/acknowledge`, alertAnswerSchema),
  };
}
