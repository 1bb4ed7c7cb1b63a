import tseslint from "typescript-eslint";
import { ownLines } from "./scripts/own-lines-rule.mjs";

/** Type-aware rules only; format and plain lint are biome's. */
export default tseslint.config(
  { ignores: ["dist/", "cdk.out/", "node_modules/", "coverage/", "*.js", "**/*.mjs", "**/*.cjs"] },
  ...tseslint.configs.strictTypeChecked,
  {
    plugins: { bulkhead: { rules: { "own-lines": ownLines } } },
    languageOptions: {
      parserOptions: { project: ["./tsconfig.json", "./infra/tsconfig.json"], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "bulkhead/own-lines": ["error", { max: 60 }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "no-restricted-syntax": [
        "error",
        {
          selector: "MemberExpression[object.name='process'][property.name='env']",
          message: "process.env is read only in composition roots (main.ts, handler.ts), through a zod schema.",
        },
      ],
    },
  },
  {
    files: ["src/*/main.ts", "src/edge/*/main.ts", "lambdas/*/handler.ts", "scripts/**", "test/**"],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    files: ["test/**"],
    rules: {
      "bulkhead/own-lines": "off",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/unbound-method": "off",
    },
  },
);
