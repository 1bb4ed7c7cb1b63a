import { App } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { parseDeploymentConfig } from "../../infra/config.ts";
import { StateStack } from "../../infra/stacks/state-stack.ts";

const template = Template.fromStack(new StateStack(new App(), "state"));

describe("the state stack", () => {
  it("encrypts the table with its own rotating key", () => {
    template.hasResourceProperties("AWS::KMS::Key", { EnableKeyRotation: true });
    template.hasResourceProperties("AWS::DynamoDB::Table", {
      SSESpecification: { SSEEnabled: true, SSEType: "KMS", KMSMasterKeyId: Match.anyValue() },
    });
  });

  it("lets records expire and can restore what was lost", () => {
    template.hasResourceProperties("AWS::DynamoDB::Table", {
      TimeToLiveSpecification: { AttributeName: "expiresAtSeconds", Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      DeletionProtectionEnabled: true,
    });
  });

  it("has the indexes the adapters query", () => {
    template.hasResourceProperties("AWS::DynamoDB::Table", {
      GlobalSecondaryIndexes: [Match.objectLike({ IndexName: "gsi1" }), Match.objectLike({ IndexName: "gsi2" })],
    });
  });

  it("keeps key and table when the stack is deleted", () => {
    template.hasResource("AWS::DynamoDB::Table", { DeletionPolicy: "Retain" });
    template.hasResource("AWS::KMS::Key", { DeletionPolicy: "Retain" });
  });
});

describe("deployment configuration", () => {
  it("has a default", () => {
    expect(parseDeploymentConfig({})).toEqual({ deployment: "bulkhead" });
  });

  it("names what is wrong", () => {
    expect(() => parseDeploymentConfig({ deployment: "Not OK" })).toThrow(/deployment/);
  });
});
