/** The import arrows of docs/architecture.md, as errors. A layer may import itself and what stands behind its name. */
const layers = {
  contracts: [],
  telemetry: ["contracts"],
  core: ["contracts", "telemetry"],
  http: ["core", "contracts", "telemetry"],
  aws: ["core", "contracts", "telemetry"],
  bridge: ["core", "contracts", "telemetry"],
  agent: ["contracts", "telemetry"],
  gateway: ["contracts", "telemetry", "core/(ports|model|tokens|access)"],
  egress: ["contracts", "telemetry", "core/(ports|model|network|delivered-secrets)"],
  edge: ["contracts", "telemetry", "core", "aws", "gateway", "egress"],
  cli: ["contracts", "core/(audit-chain|evidence/verify|ports)"],
  local: ["contracts", "telemetry", "core", "http", "aws", "bridge", "agent", "gateway", "egress", "cli"],
};

const arrows = Object.entries(layers).map(([layer, allowed]) => ({
  name: `${layer}-imports`,
  severity: "error",
  comment: `src/${layer} may import ${["itself", ...allowed].join(", ")}`,
  from: { path: `^src/${layer}/` },
  to: { path: "^(src|infra|lambdas|test|scripts)/", pathNot: [layer, ...allowed].map((name) => `^src/${name}[/.]`) },
}));

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: "contracts-need-zod-only",
      severity: "error",
      from: { path: "^src/contracts/" },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "core"], pathNot: "node_modules/zod/" },
    },
    {
      name: "aws-sdk-only-in-aws",
      severity: "error",
      from: { path: "^(src|infra)/", pathNot: "^src/aws/" },
      to: { path: "node_modules/@aws-sdk/" },
    },
    {
      name: "no-tests-from-product",
      severity: "error",
      from: { path: "^(src|infra|lambdas)/" },
      to: { path: "^(test|scripts)/" },
    },
    {
      name: "lambdas-mount-the-core",
      severity: "error",
      from: { path: "^lambdas/" },
      to: { path: "^src/(local|cli|agent)/" },
    },
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    // Types only: @types/aws-lambda.
    { name: "nothing-unresolved", severity: "error", from: {}, to: { couldNotResolve: true, pathNot: "^aws-lambda$" } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
      extensions: [".ts", ".mjs", ".js", ".cjs", ".json"],
    },
  },
};
