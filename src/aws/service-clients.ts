import { KMSClient } from "@aws-sdk/client-kms";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import { NodeHttpHandler } from "@smithy/node-http-handler";

/** Which client an adapter uses. Each kind is bundled only where its adapter is. */
export interface ClientChoice<Client> {
  readonly region: string;
  /** @default one for `region`, with the caller's own credentials */
  readonly client?: Client;
}

export function kmsClient({ region, client }: ClientChoice<KMSClient>): KMSClient {
  return client ?? new KMSClient({ region, maxAttempts: 3, requestHandler: handler(2_000) });
}

export function secretsClient({ region, client }: ClientChoice<SecretsManagerClient>): SecretsManagerClient {
  return client ?? new SecretsManagerClient({ region, maxAttempts: 3, requestHandler: handler(3_000) });
}

/** Calls have deadlines of their own (lambda-invoke.ts). */
export function lambdaClient({ region, client }: ClientChoice<LambdaClient>): LambdaClient {
  return client ?? new LambdaClient({ region, maxAttempts: 2, requestHandler: handler(0) });
}

export function quotasClient({ region, client }: ClientChoice<ServiceQuotasClient>): ServiceQuotasClient {
  return client ?? new ServiceQuotasClient({ region, maxAttempts: 2, requestHandler: handler(3_000) });
}

function handler(requestTimeout: number): NodeHttpHandler {
  return new NodeHttpHandler({ connectionTimeout: 1_000, requestTimeout, throwOnRequestTimeout: true });
}
