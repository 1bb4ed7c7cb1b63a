import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import type * as z from "zod";

/** One secret that holds JSON of one shape. */
export interface SecretShelf<T> {
  /** undefined while the secret has no value, or one of another shape. */
  read(): Promise<T | undefined>;
  write(value: T): Promise<void>;
}

export function makeSecretShelf<T>(options: {
  readonly region: string;
  readonly secretId: string;
  readonly schema: z.ZodType<T>;
}): SecretShelf<T> {
  const { secretId: SecretId, schema } = options;
  const client = new SecretsManagerClient({ region: options.region, maxAttempts: 4 });
  return {
    async read() {
      try {
        const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }));
        return schema.safeParse(JSON.parse(SecretString ?? "null")).data;
      } catch (thrown) {
        // A secret without a value has no current version to be found; what stands there before is no JSON.
        if (thrown instanceof ResourceNotFoundException || thrown instanceof SyntaxError) return undefined;
        throw thrown;
      }
    },
    async write(value) {
      await client.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(value) }));
    },
  };
}
