import { AttributeType, BillingMode, StreamViewType, Table, TableEncryption } from "aws-cdk-lib/aws-dynamodb";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { tableSchema } from "../../src/aws/table.ts";
import { acknowledge } from "../acknowledge.ts";
import type { DeploymentConfig } from "../config.ts";
import { dataRemoval } from "../removal.ts";

/** The one table: records expire by TTL, changes are streamed with both images, what was lost can be restored to the second. */
export class StateTable extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string, { config, key }: { config: DeploymentConfig; key: IKey }) {
    super(scope, id);
    // Table and not TableV2: with a key of one's own the latter cannot be synthesized without knowing the region.
    this.table = new Table(this, "Table", {
      partitionKey: { name: tableSchema.partitionKey, type: AttributeType.STRING },
      sortKey: { name: tableSchema.sortKey, type: AttributeType.STRING },
      timeToLiveAttribute: tableSchema.ttlAttribute,
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: key,
      stream: StreamViewType.NEW_AND_OLD_IMAGES,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: config.deletionProtection,
      removalPolicy: dataRemoval(config),
    });
    for (const index of tableSchema.indexes) {
      this.table.addGlobalSecondaryIndex({
        indexName: index.name,
        partitionKey: { name: index.partitionKey, type: AttributeType.STRING },
        sortKey: { name: index.sortKey, type: AttributeType.STRING },
      });
    }
    acknowledge(this.table, {
      "NIST.800.53.R5-DynamoDBInBackupPlan":
        "Restored by point-in-time recovery, to any second of the last 35 days; a backup plan would add only coarser copies.",
    });
  }
}
