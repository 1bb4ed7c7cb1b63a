import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { acknowledge } from "../acknowledge.ts";

/** Where events go that nobody could deal with, for a person to look at: both queues are watched by an alarm. */
export class DeadLetters extends Construct {
  /** Events of EventBridge that were not delivered, or whose function failed for good. */
  readonly events: Queue;
  /** Where in the table's stream records are that a function failed on for good. */
  readonly stream: Queue;

  constructor(scope: Construct, id: string, { key }: { key: IKey }) {
    super(scope, id);
    this.events = queue(this, "Events", key);
    this.stream = queue(this, "Stream", key);
    letEventsUse(key);
  }
}

function queue(scope: Construct, id: string, key: IKey): Queue {
  const made = new Queue(scope, id, {
    encryption: QueueEncryption.KMS,
    encryptionMasterKey: key,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  acknowledge(made, { "AwsSolutions-SQS3": "It is a dead-letter queue itself." });
  return made;
}

/** EventBridge puts what it could not deliver into an encrypted queue: it needs the queue's key. */
function letEventsUse(key: IKey): void {
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: "EventsOfThisAccount",
      principals: [new ServicePrincipal("events.amazonaws.com")],
      actions: ["kms:Decrypt", "kms:GenerateDataKey"],
      resources: ["*"],
      conditions: { StringEquals: { "aws:SourceAccount": Stack.of(key).account } },
    }),
  );
}
