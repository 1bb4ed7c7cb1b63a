import { ministackVersion } from "../../../scripts/ensure-ministack.mjs";
import { motoVersion } from "../../../scripts/ensure-moto.mjs";
import type { LoadedStack } from "./stacks.ts";

/** What became of the resources of one type. */
export interface TypeCoverage {
  readonly type: string;
  readonly created: boolean;
  /** Reasons for those that were not made. */
  readonly leftOut: readonly string[];
}

/** Every type of the templates, sorted. */
export function coverageOf(stacks: readonly LoadedStack[]): TypeCoverage[] {
  const created = new Set(stacks.flatMap(({ resources }) => [...resources.values()].map(({ type }) => type)));
  const reasons = new Map<string, Set<string>>();
  for (const { type, because } of stacks.flatMap(({ leftOut }) => leftOut)) {
    reasons.set(type, (reasons.get(type) ?? new Set()).add(because));
  }
  return [...new Set([...created, ...reasons.keys()])].sort().map((type) => ({
    type,
    created: created.has(type),
    leftOut: [...(reasons.get(type) ?? [])].sort(),
  }));
}

const isCustom = ({ type }: TypeCoverage) => type.startsWith("Custom::");

/** In a few words, for the terminal. */
export function summaryOf(coverage: readonly TypeCoverage[]): string {
  const whole = coverage.filter(({ created, leftOut }) => created && leftOut.length === 0);
  const partly = coverage.filter(({ created, leftOut }) => created && leftOut.length > 0);
  const linted = coverage.filter((one) => !one.created && !isCustom(one));
  const unchecked = coverage.filter((one) => !one.created && isCustom(one));
  const line = (title: string, of: readonly TypeCoverage[]) =>
    `${of.length} ${title}${of.length > 0 ? `: ${of.map(({ type }) => type).join(", ")}` : ""}`;
  return [
    `${coverage.length} resource types: ${whole.length} created in the emulator`,
    line("created in part", partly),
    line("linted only", linted),
    line("not checked", unchecked),
  ].join("\n");
}

/** docs/emulator-coverage.md. */
export function coverageDocument(coverage: readonly TypeCoverage[], stacks: readonly LoadedStack[]): string {
  const standIns = [...new Set(stacks.flatMap((stack) => stack.standIns))].sort();
  const rows = coverage.map((one) => `| ${one.type} | ${emulated(one)} | ${isCustom(one) ? "no" : "yes"} |`);
  return `${head}
${summaryOf(coverage)
  .split("\n")
  .map((line) => `- ${line}`)
  .join("\n")}

| resource type | created in ministack ${ministackVersion} | linted |
|---|---|---|
${rows.join("\n")}

## Values that were made up

Where a resource that was made refers to one that was not, it was given a text in its place:

${standIns.map((one) => `- ${one}`).join("\n")}
`;
}

function emulated({ created, leftOut }: TypeCoverage): string {
  if (leftOut.length === 0) return "yes";
  return created ? `yes, but ${leftOut.join("; ")}` : `no: ${leftOut.join("; ")}`;
}

const head = `# What emulator and linter made of the templates

Nobody has deployed these templates to a real account yet. \`test/infra/emulator.test.ts\` synthesizes all three stacks of \`dev\`, of \`prod\`
and of \`prod\` with a domain, a WAF and a mail address for alarms, and loads them in the order of a deploy into ministack, an emulator whose
CloudFormation refuses a template with a resource type that it does not know. \`test/infra/cfn-lint.test.ts\` holds the same templates against
CloudFormation's published resource schemas. This page is written by the first of them and compared at each run; write it anew with
\`npx vitest run --project infra test/infra/emulator.test.ts -u\`.

What that shows, as far as both tests try with templates that are wrong; "yes" below says no more than this:

| | ministack ${ministackVersion} | cfn-lint (with moto ${motoVersion}) |
|---|---|---|
| a type that does not exist | refused | error |
| an attribute (\`Fn::GetAtt\`) that does not exist | refused | error |
| an import (\`Fn::ImportValue\`) that no stack exports | refused | not seen |
| resources that depend on each other in a circle | refused | error |
| a \`Ref\` to nothing | **taken** | error |
| a property that does not exist, or a required one that is missing | **taken** | error |
| an id that nothing has (a subnet in an unknown VPC) | **taken** | not seen |
| expiry and encryption of a table (\`TimeToLiveSpecification\`, \`SSESpecification\`) | **dropped** | held against the schema |

Neither shows that AWS takes the templates: quotas, rights of the deployer and of the roles, limits between services, propagation delays and
what functions and images do when they run are left to a first deploy (\`npm run smoke\`, [deploy.md](deploy.md)).

## By resource type
`;
