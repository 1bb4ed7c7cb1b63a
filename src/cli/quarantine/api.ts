import { type QuarantineAnswer, quarantineAnswerSchema } from "#contracts/control/quarantine.ts";
import { call, type Peer } from "../http.ts";

/** Holding sandboxes for inspection, as the platform serves it. */
export interface QuarantineApi {
  hold(sandboxId: string, reason: string, holdSeconds?: number): Promise<QuarantineAnswer>;
  release(sandboxId: string): Promise<QuarantineAnswer>;
}

export function quarantineApi(peer: Peer): QuarantineApi {
  const at = (id: string) => `/v1/sandboxes/${encodeURIComponent(id)}/quarantine`;
  return {
    hold: (id, reason, holdSeconds) =>
      call(peer, "POST", at(id), quarantineAnswerSchema, {
        body: { reason, ...(holdSeconds !== undefined && { hold_seconds: holdSeconds }) },
      }),
    release: (id) => call(peer, "DELETE", at(id), quarantineAnswerSchema),
  };
}
