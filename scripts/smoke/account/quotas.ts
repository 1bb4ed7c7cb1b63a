import { ListServiceQuotasCommand, type ServiceQuota } from "@aws-sdk/client-service-quotas";
import type { Journal } from "../journal.ts";
import type { AccountClients } from "./clients.ts";

/** By service: the quotas that decide how many sandboxes there can be. Found by name: not every code is documented. */
const wanted: Readonly<Record<string, RegExp>> = {
  fargate: /vCPU/i,
  vpc: /security groups per|network interfaces per/i,
  elasticfilesystem: /access points/i,
  ecs: /tasks? launch|tasks per/i,
};

/** Writes the values of this account and region down. */
export async function quotas(journal: Journal, { quotas: client }: AccountClients): Promise<void> {
  for (const [service, names] of Object.entries(wanted)) {
    const found = await journal.step(`quotas of ${service}`, () => all(client, service));
    const fitting = found.filter(({ QuotaName = "" }) => names.test(QuotaName));
    if (fitting.length === 0) journal.write(service, "skipped", "no quota of that name");
    for (const { QuotaName = "?", QuotaCode = "?", Value, Adjustable } of fitting)
      journal.write(
        QuotaName,
        "measured",
        `${Value ?? "?"} (${QuotaCode}, ${Adjustable === true ? "adjustable" : "fixed"})`,
      );
  }
}

async function all(client: AccountClients["quotas"], service: string): Promise<readonly ServiceQuota[]> {
  const found: ServiceQuota[] = [];
  let next: string | undefined;
  do {
    const page = await client.send(
      new ListServiceQuotasCommand({ ServiceCode: service, ...(next === undefined ? {} : { NextToken: next }) }),
    );
    found.push(...(page.Quotas ?? []));
    next = page.NextToken;
  } while (next !== undefined);
  return found;
}
