import { describe, expect, it } from "vitest";
import { keepsDiskOf } from "#core/disk.ts";
import type { SandboxRecord } from "#core/model.ts";
import { anInstance, aSandbox } from "#test/support/fixtures.ts";

const keeps = (
  sandbox: Partial<SandboxRecord> | null,
  instance = anInstance({ id: "i2", sandboxId: "s", diskId: "d" }),
) => keepsDiskOf({ sandboxes: { get: async () => (sandbox === null ? undefined : aSandbox(sandbox)) } }, instance);

describe("the files of an instance that ends", () => {
  it.each<[string, Partial<SandboxRecord> | null, boolean]>([
    ["of a stopped sandbox stay", { status: "stopped", diskId: "d", instanceId: null }, true],
    ["of one that is started again stay", { status: "creating", diskId: "d", instanceId: "i2" }, true],
    ["of one that runs on them elsewhere stay", { status: "running", diskId: "d", instanceId: "i3" }, true],
    ["of one that runs there go", { status: "running", diskId: "d", instanceId: "i2" }, false],
    ["of one that stands still there go", { status: "paused", diskId: "d", instanceId: "i2" }, false],
    ["of one that ends go", { status: "deleting", diskId: "d", instanceId: "i3" }, false],
    ["of one that has other files go", { status: "running", diskId: "e", instanceId: "i3" }, false],
    ["of one that never stopped go", { status: "creating", diskId: null, instanceId: "i2" }, false],
    ["of nobody go", null, false],
  ])("%s", async (_, sandbox, kept) => {
    expect(await keeps(sandbox)).toBe(kept);
  });
});
