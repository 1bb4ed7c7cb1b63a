import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks, NIST80053R5Checks } from "cdk-nag";
import type { IConstruct } from "constructs";

interface Finding {
  readonly rule: string;
  readonly path: string;
}

function packs(): (AwsSolutionsChecks | NIST80053R5Checks)[] {
  return [new AwsSolutionsChecks(), new NIST80053R5Checks()];
}

function findings(scope: IConstruct, checks = packs()): Finding[] {
  return checks
    .flatMap((pack) => pack.validateScope(scope).violations)
    .flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => ({ rule: ruleName, path: constructPath ?? "" })),
    );
}

/**
 * What cdk-nag's AwsSolutions and NIST 800-53 (revision 5) packs find below a construct and nobody has acknowledged, one a line:
 * `<rule> <construct path>`.
 */
export function unacknowledgedFindings(scope: IConstruct): string[] {
  return findings(scope)
    .map(({ rule, path }) => `${rule} ${path}`)
    .sort();
}

/** Acknowledgements of those packs' rules below a construct that nothing needs: a reason for what is not there. */
export function idleAcknowledgements(scope: IConstruct): string[] {
  const deaf = packs().map((pack) => Object.assign(pack, { isAcknowledged: () => false }));
  const all = findings(scope, deaf);
  return acknowledged(scope)
    .filter(({ rule, path }) => !all.some((found) => found.rule === rule && `${found.path}/`.startsWith(`${path}/`)))
    .map(({ rule, path }) => `${rule} ${path}`)
    .sort();
}

function acknowledged(scope: IConstruct): Finding[] {
  return scope.node
    .findAll()
    .flatMap(({ node }) =>
      node.metadata
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .flatMap(({ data }) => Object.keys(data as object))
        .map((id) => ({ rule: id.replace(/^annotation::/i, ""), path: node.path })),
    )
    .filter(({ rule }) => /^(AwsSolutions|NIST)/.test(rule));
}
