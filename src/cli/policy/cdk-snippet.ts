import type { SuggestedRule } from "./rules.ts";
import type { SuggestedPolicy } from "./suggest.ts";

/** The policy as TypeScript, for the `network` that a deployment is configured with. */
export function cdkSnippet(policy: SuggestedPolicy, sandbox: string): string {
  return [
    `// What sandbox ${JSON.stringify(sandbox)} connected to. For the context of a deployment:`,
    '//   app.node.setContext("network", network), or as "network" in cdk.json',
    "const network = {",
    `  mode: ${JSON.stringify(policy.mode)},`,
    "  rules: [",
    ...policy.rules.map((rule) => `    ${literal(rule)},`),
    "  ],",
    "};",
  ].join("\n");
}

function literal(rule: SuggestedRule): string {
  const members = Object.entries(rule).map(([name, value]) => `${name}: ${text(value)}`);
  return `{ ${members.join(", ")} }`;
}

function text(value: unknown): string {
  return Array.isArray(value) ? `[${value.map((one) => JSON.stringify(one)).join(", ")}]` : JSON.stringify(value);
}
