import { z } from "zod";
import type { Rule } from "../line.ts";

const fileSystemSchema = z.looseObject({ ThroughputMode: z.string().default("bursting") });

export const storageRules: Readonly<Record<string, Rule>> = {
  key: ({ calculator }) => [calculator.monthly("KMS key", 1, "key", "kms.key")],
  secret: ({ calculator }) => [calculator.monthly("secret", 1, "secret", "secret")],
  table: ({ calculator, resource }) => {
    if (resource.Properties["BillingMode"] !== "PAY_PER_REQUEST") throw new Error("provisioned capacity has no price");
    return [
      calculator.assumed("table: reads of the scheduled functions", "dynamodb.reads", "dynamodb.read"),
      calculator.assumed("table: writes of the scheduled functions", "dynamodb.writes", "dynamodb.write"),
      calculator.assumed("table: continuous backup", "dynamodb.gb", "dynamodb.backup"),
    ];
  },
  "file-system": ({ resource, calculator }) => {
    const { ThroughputMode } = fileSystemSchema.parse(resource.Properties);
    if (ThroughputMode === "provisioned") throw new Error("provisioned throughput has no price");
    return [calculator.assumed("file system storage", "efs.gb", "efs.storage")];
  },
  bucket: ({ calculator }) => [calculator.assumed("bucket storage", "s3.gb", "s3.storage")],
  repository: ({ calculator }) => [calculator.assumed("image storage", "ecr.gb", "ecr.storage")],
};
