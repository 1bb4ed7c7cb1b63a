import type { TemplateResource } from "./template.ts";

/** What ministack does not do of a type that it knows. Each is tried by test/infra/emulator.test.ts: one that it has learnt fails there. */
export interface Gap {
  readonly type: string;
  /** Completes "except those …". */
  readonly which: string;
  has(properties: Readonly<Record<string, unknown>>): boolean;
  /** One that it refuses. */
  readonly example: Readonly<Record<string, unknown>>;
}

export const gaps: readonly Gap[] = [
  {
    type: "AWS::CloudWatch::Alarm",
    which: "that compute on metrics (`Metrics`)",
    has: (properties) => "Metrics" in properties,
    example: {
      ComparisonOperator: "GreaterThanThreshold",
      EvaluationPeriods: 1,
      Threshold: 1,
      Metrics: [{ Id: "sum", Expression: "1 + 1", ReturnData: true }],
    },
  },
];

export const unknownToEmulator = "ministack refuses the type";
export const runByFunctions =
  "the deployment runs a function for it, which an emulator without Docker and bundles does not";

/** Why a resource is not loaded; undefined: it is. */
export function refusalOf(unrecognized: ReadonlySet<string>): (resource: TemplateResource) => string | undefined {
  return ({ Type, Properties }) => {
    if (Type.startsWith("Custom::")) return runByFunctions;
    if (unrecognized.has(Type)) return unknownToEmulator;
    const gap = gaps.find(({ type, has }) => type === Type && has(Properties));
    return gap === undefined ? undefined : `ministack refuses those ${gap.which}`;
  };
}
