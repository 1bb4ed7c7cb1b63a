import type { TemplateRecord } from "../model.ts";
import { type AskedPolicy, type NetworkPolicy, openPolicy } from "./policy.ts";

/** The policy a sandbox begins with: what its caller asked for, else its template's, else the deployment's. */
export function decideNetwork(
  asked: AskedPolicy | undefined,
  template: Pick<TemplateRecord, "network">,
  deployment: { readonly network?: AskedPolicy },
  now: number,
): NetworkPolicy {
  const started = (policy: AskedPolicy, source: NetworkPolicy["source"]) => ({
    ...policy,
    version: 1,
    source,
    updatedAt: now,
  });
  if (asked !== undefined) return started(asked, "create");
  if (template.network !== null) return started(template.network, "template");
  return started(deployment.network ?? openPolicy, "deployment");
}
