import { describe, expect, it } from "vitest";
import { launchSteps, privateAddress } from "../../../scripts/smoke/account/tasks.ts";

describe("a task of the account", () => {
  it("is known by the address that is named so, wherever it stands", () => {
    const attachments = [
      { type: "Service Connect", details: [{ name: "privateIPv4Address", value: "10.0.0.9" }] },
      {
        type: "ElasticNetworkInterface",
        details: [
          { name: "subnetId", value: "subnet-1" },
          { name: "privateIPv4Address", value: "10.92.0.7" },
        ],
      },
    ];
    expect(privateAddress({ attachments })).toBe("10.92.0.7");
    expect(privateAddress({})).toBeUndefined();
  });

  it("tells how long each step took from RunTask on, and leaves out what has not happened", () => {
    const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);
    const task = { createdAt: at(0), connectivityAt: at(9), pullStartedAt: at(11), startedAt: at(31.5) };
    expect(launchSteps(task)).toEqual({ connected: 9, "pull began": 11, running: 31.5 });
    expect(launchSteps({ startedAt: at(1) })).toEqual({});
  });
});
