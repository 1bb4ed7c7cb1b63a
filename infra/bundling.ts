import { type BundlingOptions, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";

/**
 * How every function is bundled: the construct gives this to `NodejsFunction`, `npm run bundles` gives the same to esbuild, so
 * that what is measured is what is deployed.
 */
export const functionBundling = {
  format: OutputFormat.ESM,
  /** Oldest Node.js a function may run on. */
  target: "node22",
  minify: true,
  sourceMap: false,
  // Of packages that carry both forms the ES module is taken: it can be shaken.
  mainFields: ["module", "main"],
  // CommonJS packages inside an ES module bundle ask for `require`.
  banner:
    "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  // The SDK comes along: the copy in the Lambda runtime changes under us.
  externalModules: [],
  esbuildArgs: { "--legal-comments": "none" as const },
} satisfies BundlingOptions;
