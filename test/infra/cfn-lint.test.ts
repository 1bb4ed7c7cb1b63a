import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Template } from "aws-cdk-lib/assertions";
import { expect, it } from "vitest";
import { ensureMoto } from "../../scripts/ensure-moto.mjs";
import { deployment } from "./support/deployment.ts";

const run = promisify(execFile);

/**
 * cfn-lint (it comes with moto) holds every resource against the schemas of CloudFormation's registry: a type or property that
 * CloudFormation does not have, which the CDK may have all the same, refuses the whole template at a deploy.
 */
it.each([
  {},
  { profile: "prod" },
  { profile: "prod", waf: true, domain: "sandboxes.example.com", hostedZoneId: "Z0123456789ABC" },
])("CloudFormation's own schemas have everything in the templates of %j", { timeout: 400_000 }, async (context) => {
  const python = await ensureMoto((line) => console.error(line));
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-lint-"));
  const { stack, network, state } = deployment(context);
  const files: string[] = [];
  for (const one of [network, state, stack]) {
    const file = join(directory, `${one.stackName}.json`);
    await writeFile(file, JSON.stringify(Template.fromStack(one).toJSON()));
    files.push(file);
  }
  const program = "import sys; from cfnlint.runner import main; sys.exit(main())";
  const options = ["-c", program, "-r", "us-east-1", "eu-west-1", "--format", "parseable", "--ignore-checks", "W", "I"];
  const { stdout } = await run(python, [...options, "-t", ...files], { maxBuffer: 2 ** 24 }).catch(
    (failed: { stdout?: string; stderr?: string }) => ({ stdout: `${failed.stdout ?? ""}${failed.stderr ?? ""}` }),
  );
  await rm(directory, { recursive: true, force: true });
  expect(stdout.split("\n").filter((line) => line !== "")).toEqual([]);
});
