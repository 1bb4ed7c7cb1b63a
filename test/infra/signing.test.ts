import { Template } from "aws-cdk-lib/assertions";
import { expect, it } from "vitest";
import { controlPlane } from "./support/control-plane.ts";
import { roleOf, rolesOf } from "./support/policies.ts";

const template = Template.fromStack(controlPlane().stack);
const idsOf = (...parts: string[]) => parts.map((part) => roleOf(template, part).id).sort();

/** Roles that sign with a key, by a part of its name. */
const signersWith = (key: string) =>
  rolesOf(template)
    .filter(({ allows }) =>
      allows.some((one) => one.actions.includes("kms:Sign") && one.resources.join().includes(key)),
    )
    .map(({ id }) => id)
    .sort();

it("tokens are signed by api-lifecycle alone", () => {
  expect(signersWith("Signing")).toEqual(idsOf("ApiLifecycleRole"));
});

it("the audit record is signed by those that say what stands in it", () => {
  expect(signersWith("Evidence")).toEqual(idsOf("ApiLifecycleRole", "ApiReadRole", "ChainerRole"));
});
