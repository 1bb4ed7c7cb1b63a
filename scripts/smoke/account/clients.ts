import { ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import { type ComputeClients, computeClients } from "#aws/compute/clients.ts";

export interface AccountClients extends ComputeClients {
  readonly quotas: ServiceQuotasClient;
}

/** Clients with the credentials of whoever runs the script. */
export function makeAccountClients(region: string): AccountClients {
  return { ...computeClients(region), quotas: new ServiceQuotasClient({ region }) };
}
